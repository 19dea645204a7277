"""``rr-harness doctor``: what works on this machine, and what to type for the rest."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from rr_harness.cli.options import json_option


@click.command("doctor", short_help="Show what works here.")
@json_option
def command(json_file: Path | None) -> None:
    """Show sandbox layers, toolchains, hosts, GPU and plugins, each with what to do if missing.

    Exits with 1 if generated programs cannot be executed here: without a whole sandbox or
    without any toolchain.
    """
    from rr_harness.cli.options import write_json
    from rr_harness.provenance import provenance

    report: dict[str, Any] = {
        "sandbox": _sandbox(),
        "toolchains": _toolchains(),
        "hosts": _hosts(),
        "gpu": _gpu(),
        "plugins": _plugins(),
        "provenance": provenance(),
    }
    if json_file is not None:
        write_json(json_file, report)
    if json_file is None or str(json_file) != "-":
        _print(report)
    usable = all(row["ok"] for row in report["sandbox"]) and any(
        row["ok"] for row in report["toolchains"]
    )
    sys.exit(0 if usable else 1)


def _row(name: str, ok: bool, detail: str) -> dict[str, Any]:
    return {"name": name, "ok": ok, "detail": detail}


def _sandbox() -> list[dict[str, Any]]:
    from rr_harness.execution import probe

    return [_row(layer, ok, detail) for layer, ok, detail in probe()]


def _toolchains() -> list[dict[str, Any]]:
    from rr_harness.execution import find_language
    from rr_harness.registry import names

    rows = []
    for name in sorted(names("languages")):
        language = find_language(name)
        toolchain = language.toolchain() if language else None
        missing = f"not found; {language.install}" if language else "driver does not load"
        rows.append(_row(name, toolchain is not None, toolchain.version if toolchain else missing))
    return rows


def _hosts() -> list[dict[str, Any]]:
    from rr_harness.provenance import package_versions

    version = package_versions().get("lm_eval")
    if version is None:
        return [_row("lm_eval", False, "pip install 'rr-harness[lm-eval]'")]
    hook = "start-up hook active"
    if os.environ.get("RR_NO_AUTOREGISTER"):
        hook = "start-up hook off (RR_NO_AUTOREGISTER): use rr-harness lm-eval"
    elif not any(getattr(f, "__module__", "") == "_rr_harness_autoregister" for f in sys.meta_path):
        hook = "start-up hook absent: use rr-harness lm-eval"
    command = "" if shutil.which("lm_eval") else "; lm_eval is not on PATH"
    return [_row("lm_eval", True, f"{version}, {hook}{command}")]


def _gpu() -> list[dict[str, Any]]:
    if find_spec("torch") is None:
        return [_row("torch", False, "pip install 'rr-harness[lm-eval]'")]
    import torch

    if not torch.cuda.is_available():
        return [_row("torch", True, f"{torch.__version__}, no CUDA device: models run on the CPU")]
    devices = range(torch.cuda.device_count())
    found = ", ".join(torch.cuda.get_device_name(device) for device in devices)
    return [_row("torch", True, f"{torch.__version__}, {found}")]


def _plugins() -> list[dict[str, Any]]:
    from rr_harness.errors import RRHarnessError
    from rr_harness.registry import GROUPS, load, names

    rows = []
    for kind in GROUPS:
        for name, entry in sorted(names(kind).items()):
            if entry.value.startswith("rr_harness."):
                continue
            try:
                load(kind, name)
                rows.append(_row(f"{kind}: {name}", True, entry.value))
            except RRHarnessError as error:
                rows.append(_row(f"{kind}: {name}", False, str(error)))
    return rows


def _print(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    for section in ("sandbox", "toolchains", "hosts", "gpu", "plugins"):
        if not report[section]:
            continue
        console.print(f"[bold]{section}[/bold]")
        width = max(len(row["name"]) for row in report[section])
        for row in report[section]:
            mark = "[green]ok[/green]     " if row["ok"] else "[red]missing[/red]"
            text = f"  {mark}  {escape(row['name']):<{width}}  {escape(row['detail'])}"
            console.print(text, highlight=False)
