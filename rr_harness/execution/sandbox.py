"""The wall around generated programs: one bubblewrap process for each step.

A step is one command: a compiler, or the program itself. It gets namespaces of its own (user, pid,
net, ipc, uts, cgroup), the host's ``/usr`` and its toolchain read-only, no home, no network but an
empty loopback, no capability, a new environment, and resource limits. It can write to a folder of
limited size in memory, and a compiler to its artefact folder. Everything dies with its process 1.

As root, bubblewrap is started as an unprivileged user: the kernel exempts user 0 from the limit on
processes, under whatever name it goes inside.

Not handled here: the limit on memory counts for each process, not for all of a step together (that
needs control groups); system calls are not filtered, so a program can trace process 1 of its own
sandbox; nothing is said about whether a program that exits with 0 has run its tests.
"""

from __future__ import annotations

import fcntl
import functools
import math
import os
import resource
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rr_harness.errors import RRHarnessError, SandboxUnavailable
from rr_harness.execution.supervise import Ending, Leash, supervise

# Folders inside the sandbox.
PROGRAM = "/program"  # the program text, read-only
BUILD = "/build"  # what the compiler made; writable for the compiler alone
WORK = "/work"  # working folder, home and /tmp

# All that a program finds in its environment, but for PWD.
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": WORK,
    "LANG": "C.UTF-8",
    # Its threads reserve more address space than a program may have, on a machine with many cores.
    "OPENBLAS_NUM_THREADS": "1",
}
_NOBODY = 65534
_ALL_USERS = ["0", "0", "4294967295"]
_INSTALL = "sudo apt-get install bubblewrap"


class SandboxFailed(RRHarnessError):
    """The sandbox did not start for one step, for a reason that is not the program's."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use.

    Attributes:
        seconds: wall time of each step; None for the language's own, as MultiPL-E's evaluator.
        memory_mib: memory of each process.
        processes: processes and threads at a time; a JVM on 64 cores starts about 100.
        disk_mib: files in the work folder, and the largest single file.
        output_bytes: kept of each of standard output and standard error.
    """

    seconds: float | None = None
    memory_mib: int = 2048
    processes: int = 256
    disk_mib: int = 64
    output_bytes: int = 2048


@dataclass(frozen=True, slots=True)
class Step:
    """One command to run in a sandbox of its own.

    Attributes:
        argv: the command.
        seconds: wall time limit.
        reserves_memory: the runtime reserves far more address space than it uses (JVM, node), so
            the limit on memory counts written pages only.
        files: path in the sandbox to content, read-only.
        folders: host folders shown at the same path, read-only.
        build: host folder shown as ``BUILD``, or None.
        writes_build: the command may write to it.
        stdin: standard input.
    """

    argv: tuple[str, ...]
    seconds: float
    reserves_memory: bool = False
    files: Mapping[str, bytes] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    build: str | None = None
    writes_build: bool = False
    stdin: bytes = b""


def run_step(step: Step, limits: Limits, leash: Leash, *, keep: int | None = None) -> Ending:
    """Run one step in a new sandbox.

    Args:
        step: what to run.
        limits: what it may use; ``seconds`` is the step's own.
        leash: the run it belongs to.
        keep: bytes kept of each output, if not those of ``limits``.

    Raises:
        SandboxUnavailable: bubblewrap is not installed.
        SandboxFailed: bubblewrap did not start, twice; the message has its reason.
        Cancelled: the leash was pulled.
    """
    reason = ""
    for _ in range(2):
        try:
            ending = _start(step, limits, leash, limits.output_bytes if keep is None else keep)
        except OSError as error:  # out of processes, descriptors or memory
            reason = str(error)
            continue
        if ending.started:
            return ending
        reason = bytes(ending.stderr.head).decode(errors="replace").strip()
    raise SandboxFailed(f"the sandbox did not start: {reason or 'no reason given'}")


def _start(step: Step, limits: Limits, leash: Leash, keep: int) -> Ending:
    with ExitStack() as stack:
        memory = functools.partial(_memory_file, stack)
        files = {path: memory(content) for path, content in step.files.items()}
        status = os.pipe()
        try:
            arguments = _arguments(step, limits, files, status[1])
            # By descriptor, since a program can read the command line of process 1.
            listed = memory(b"".join(os.fsencode(word) + b"\0" for word in arguments))
            stdin = memory(step.stdin)
        except BaseException:
            os.close(status[0])
            os.close(status[1])
            raise
        return supervise(
            [*_launcher(step), "--args", str(listed), "--", *_limited(step, limits), *step.argv],
            leash,
            env=ENVIRONMENT,
            fds=[*files.values(), listed],
            status=status,
            stdin=stdin,
            seconds=step.seconds,
            keep=keep,
        )


def _memory_file(stack: ExitStack, content: bytes) -> int:
    """Return a descriptor at the start of a file that no folder has and nobody can change."""
    fd = os.memfd_create("rr-harness", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    stack.callback(os.close, fd)
    with os.fdopen(fd, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(fd, 0, os.SEEK_SET)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
    return fd


def _arguments(step: Step, limits: Limits, files: Mapping[str, int], status: int) -> list[str]:
    size = str(limits.disk_mib << 20)
    namespaces = ("user", "pid", "net", "ipc", "uts", "cgroup")
    words = [
        *(f"--unshare-{namespace}" for namespace in namespaces),
        *["--disable-userns", "--uid", "1000", "--gid", "1000", "--hostname", "sandbox"],
        *["--cap-drop", "ALL", "--die-with-parent", "--new-session", "--clearenv"],
        *(word for name, value in ENVIRONMENT.items() for word in ("--setenv", name, value)),
        *_system(),
        *(word for folder in step.folders for word in ("--ro-bind", folder, folder)),
        *["--proc", "/proc", "--dev", "/dev", "--size", size, "--tmpfs", "/dev/shm"],  # noqa: S108
        *["--size", size, "--tmpfs", WORK, "--symlink", WORK, "/tmp"],  # noqa: S108
        *(w for path, fd in files.items() for w in ("--perms", "0444", "--file", str(fd), path)),
    ]
    if step.build:
        words += ["--bind" if step.writes_build else "--ro-bind", step.build, BUILD]
    # bubblewrap's own root and /dev are writable file systems in memory, without a size.
    words += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", WORK]
    return [*words, "--json-status-fd", str(status)]


@functools.cache
def _system() -> tuple[str, ...]:
    """Return the mounts every program needs: the system's programs and libraries."""
    words = ["--ro-bind", "/usr", "/usr"]
    for path in ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"):
        if os.path.islink(path):
            words += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            words += ["--ro-bind", path, path]
    for path in ("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d"):
        words += ["--ro-bind-try", path, path]
    return tuple(words)


def _limited(step: Step, limits: Limits) -> list[str]:
    """Return the command that sets the limits, from inside: outside, processes would be shared."""
    memory = limits.memory_mib << 20
    # A backstop for a supervisor that sleeps; threads use up processor time side by side.
    cpu = math.ceil(step.seconds * (os.cpu_count() or 1)) + 1
    wanted = {
        "data" if step.reserves_memory else "as": memory,
        "cpu": cpu,
        "fsize": limits.disk_mib << 20,
        "nofile": 1024,
        "nproc": limits.processes,
        "core": 0,
    }
    return ["prlimit", *(f"--{name}={_allowed(name, value)}" for name, value in wanted.items())]


def _allowed(name: str, value: int) -> int:
    """Return the limit, or the host's own where that is lower: it can not be raised."""
    hard = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[1]
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _launcher(step: Step) -> list[str]:
    """Return the start of the command line: bubblewrap, as somebody who is not root."""
    bwrap = _find("bwrap")
    if not _is_root():
        return [bwrap]
    drop = [_find("setpriv"), f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
    folders = [*step.folders, *([step.build] if step.build else [])]
    return [*_open_closed(bwrap, folders), *drop, bwrap]


@functools.cache
def _is_root() -> bool:
    """Tell the machine's user 0 from that of a user namespace (a rootless container)."""
    return os.geteuid() == 0 and Path("/proc/self/uid_map").read_text().split() == _ALL_USERS


def _open_closed(bwrap: str, folders: Iterable[str]) -> list[str]:
    """Return what makes folders below a closed one, say a pyenv in /root, visible to others.

    Others would not reach them by path. So another bubblewrap, still as root, first lays an empty
    folder over the closed one, in its own view of the file system, and puts them back into it.
    """
    covers, binds = [], []
    for folder in folders:
        # The parents, from the root down.
        for parent in reversed(Path(folder).parents):
            if not parent.stat().st_mode & 0o001:
                if str(parent) not in covers:
                    covers.append(str(parent))
                above = str(Path(folder).parent)
                binds += ["--perms", "0755", "--dir", above, "--bind", folder, folder]
                break
    if not covers:
        return []
    laid = [word for cover in covers for word in ("--perms", "0755", "--tmpfs", cover)]
    return [bwrap, "--die-with-parent", "--dev-bind", "/", "/", *laid, *binds]


@functools.cache
def _find(tool: str) -> str:
    path = shutil.which(tool)
    if path is None and tool == "bwrap":
        raise SandboxUnavailable(f"generated programs need bubblewrap: {_INSTALL}")
    if path is None:
        raise SandboxUnavailable(f"the sandbox needs {tool}: sudo apt-get install util-linux")
    return path


@contextmanager
def build_folder() -> Iterator[str]:
    """Give an empty folder on the host that the sandbox's user owns, and delete it after."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="rr-harness-", ignore_cleanup_errors=True) as folder:
        if _is_root():
            os.chown(folder, _NOBODY, _NOBODY)
        yield folder
