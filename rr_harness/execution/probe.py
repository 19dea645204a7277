"""Does the sandbox hold what it promises on this machine? One start of it, 0.1 seconds."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from dataclasses import replace
from typing import NamedTuple

from rr_harness.errors import SandboxUnavailable
from rr_harness.execution.languages import Python
from rr_harness.execution.sandbox import ENVIRONMENT, PROGRAM, Limits, SandboxFailed, Step, run_step
from rr_harness.execution.supervise import Leash

_SECONDS = 10.0
_PROCESSES = 16  # The rule is the same for a small number, and quicker to hit.
_MEMORY_MIB = 256

# Runs inside. Each line of what it prints is a layer: name, what was wrong or "".
_SCRIPT = """
import json, os, socket, sys

port, processes, known = int(sys.argv[1]), int(sys.argv[2]), set(sys.argv[3:])

def network():
    try:
        socket.create_connection(("127.0.0.1", port), 2)
        return "reached a port of the host"
    except OSError:
        others = [name for _, name in socket.if_nameindex() if name != "lo"]
        return f"sees interfaces {others}" if others else ""

def files():
    for folder in ("/", "/usr", "/dev", "/program", os.path.dirname(sys.executable)):
        try:
            open(os.path.join(folder, "rr-probe"), "w")
            return f"could write to {folder}"
        except OSError:
            pass
    return "sees the host's homes" if os.path.exists("/home") else ""

def environment():
    found = set()
    for process in filter(str.isdigit, os.listdir("/proc")):
        for variable in open(f"/proc/{process}/environ").read().split("\\0"):
            found.add(variable.partition("=")[0])
    return f"sees variables of the host: {found - known}" if found - known else ""

def privileges():
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    if int(status["CapEff"], 16) or int(status["CapBnd"], 16):
        return "has capabilities"
    return "" if status["NoNewPrivs"].strip() == "1" else "can gain privileges"

def memory():
    try:
        bytearray(1 << 30)
        return "could allocate 1 GiB"
    except MemoryError:
        return ""

def forks():
    read, write = os.pipe()
    count = 0
    try:
        while count < processes + 4:
            if os.fork() == 0:
                os.close(write)
                os.read(read, 1)
                os._exit(0)
            count += 1
        return f"{count} processes started with a limit of {processes}; run as an ordinary user"
    except OSError:
        return "" if count else "could not start a process: the limit counts others of this user"

checks = {
    "no network": network, "files read-only": files, "environment hidden": environment,
    "no privileges": privileges, "memory limit": memory, "process limit": forks,
}
print(json.dumps({name: check() for name, check in checks.items()}))
"""


class Layer(NamedTuple):
    """One thing the sandbox promises.

    Attributes:
        name: for people, for example ``no network``.
        ok: it holds.
        detail: what was wrong and what to do, or a short note.
    """

    name: str
    ok: bool
    detail: str


def probe(limits: Limits | None = None) -> list[Layer]:
    """Try the sandbox's layers, with the limits of a real run where they matter."""
    layers = [_temporary_folder()]
    try:
        reported = _ask(limits or Limits())
    except (SandboxUnavailable, SandboxFailed) as error:
        return [Layer("sandbox", False, _advise(str(error))), *layers]
    layers.insert(0, Layer("sandbox", True, "bubblewrap starts"))
    return layers + [Layer(name, not wrong, wrong or "holds") for name, wrong in reported.items()]


def _ask(limits: Limits) -> dict[str, str]:
    """Run the script in a sandbox and return its report: a layer's name to what is wrong."""
    toolchain = Python().toolchain()
    assert toolchain is not None  # noqa: S101 - it is the one that runs us
    path = f"{PROGRAM}/probe.py"
    with Leash() as leash, socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        step = Step(
            (
                toolchain.paths["python3"],
                "-IS",
                path,
                port,
                str(_PROCESSES),
                "",
                "PWD",
                *ENVIRONMENT,
            ),
            seconds=_SECONDS,
            files={path: _SCRIPT.encode()},
            folders=toolchain.folders,
        )
        small = replace(limits, processes=_PROCESSES, memory_mib=_MEMORY_MIB)
        ending = run_step(step, small, leash, keep=1 << 16)
    try:
        reported: dict[str, str] = json.loads(bytes(ending.stdout.head))
    except ValueError:
        reason = "no answer in time" if ending.timed_out else ending.stderr.text.strip()
        raise SandboxFailed(f"the self-test failed: {reason or ending.exit_code}") from None
    return reported


def _temporary_folder() -> Layer:
    folder = tempfile.gettempdir()
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return Layer(
            "temporary folder",
            False,
            f"compiled programs can not be executed from {folder} (mounted noexec): "
            "set TMPDIR to a folder elsewhere",
        )
    return Layer("temporary folder", True, folder)


def _advise(reason: str) -> str:
    """Add what to do about a sandbox that does not start."""
    if "nknown option" in reason:
        return f"{reason}; bubblewrap 0.8 or newer is needed"
    if "namespace" in reason or "uid map" in reason or "Operation not permitted" in reason:
        return (
            f"{reason}; user namespaces are off here: "
            "sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000 "
            "kernel.apparmor_restrict_unprivileged_userns=0, and in a container run it with "
            "--security-opt seccomp=unconfined --security-opt systempaths=unconfined"
        )
    return reason
