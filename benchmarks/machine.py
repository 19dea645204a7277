"""What a measurement was made on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from rr_harness.provenance import commit, package_versions


def describe_machine() -> str:
    """Return cores, processor, memory, load and versions, in one line."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    packages = ", ".join(f"{name} {version}" for name, version in package_versions().items())
    return (
        f"{os.cpu_count()} cores ({model}), {pages * size / 2**30:.0f} GiB, "
        f"load {os.getloadavg()[0]:.1f}, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {packages}, commit {commit()}"
    )


def shared_folder() -> Path:
    """Return the folder of real problems and completions beside the checkout."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        raise SystemExit(f"{folder.name}: the folder beside the checkout is missing")
    return folder
