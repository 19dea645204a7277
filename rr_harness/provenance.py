"""What a result must carry to be trusted: versions, commit, host."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rr_harness import __version__

_PACKAGES = ("lm_eval", "torch", "transformers", "tokenizers", "datasets", "click", "rich")


def package_versions() -> dict[str, str]:
    """Return the installed versions of the packages that decide a result; imports none."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """Return the git commit of a source checkout (with ``+changes`` if dirty), else None."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+changes", "--exclude=*"],
            cwd=root, capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()


def provenance() -> dict[str, Any]:
    """Return version, commit, host and package versions, for every result file."""
    return {
        "rr_harness": __version__,
        "commit": commit(),
        "python": platform.python_version(),
        "host": f"{platform.system()} {platform.machine()}",
        "packages": package_versions(),
    }
