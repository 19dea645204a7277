"""Start one process tree, drain what it prints, end it for certain.

The reader stays outside the sandbox. It waits with ``epoll`` on the pipes, the process and the
cancellation at once, and throws away what exceeds the cap while it reads, so that a flood neither
blocks the program nor grows our memory.

Not handled: a process in uninterruptible sleep outlives SIGKILL until the kernel lets go of it;
it is waited for 5 seconds and then reported in the log.
"""

from __future__ import annotations

import json
import logging
import os
import select
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

logger = logging.getLogger(__name__)

_CHUNK = 1 << 16
_TAIL = 2048  # Error names come last in a traceback: kept beside the head of a long output.
_DEATH_SECONDS = 5


class Cancelled(Exception):
    """The run this step belongs to was closed."""


class Leash:
    """Holds every process of a run, so that none is lost, however the run ends.

    bubblewrap dies with its parent, but only from the moment it has said so to the kernel; a
    sandbox whose supervisor is killed before that would stay for good. So all of them are in the
    process group of a guard, which kills the group when we go, and that the kernel sees to.
    """

    def __init__(self) -> None:
        self.pulled = os.eventfd(0)
        guarded, self._held = os.pipe()
        try:
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", "read _; kill -KILL 0"],
                stdin=guarded,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={},
                process_group=0,  # also: Ctrl-C reaches us alone, and we end things in order
            )
        except BaseException:
            os.close(self._held)
            os.close(self.pulled)
            raise
        finally:
            os.close(guarded)
        self.group = self._guard.pid

    def __enter__(self) -> Leash:
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._held, b"\n")
        self._guard.wait()
        os.close(self._held)
        os.close(self.pulled)

    def pull(self) -> None:
        """End every step of the run; each waiting reader raises ``Cancelled``."""
        os.eventfd_write(self.pulled, 1)


class Stream:
    """What came out of one pipe: the first ``limit`` bytes and the last two thousand."""

    def __init__(self, fd: int, limit: int) -> None:
        self.fd = fd
        self.limit = limit
        self.size = 0
        self.head = bytearray()
        self.tail = b""
        os.set_blocking(fd, False)

    def read(self) -> bool:
        """Read once without waiting; return False at the end of the stream."""
        try:
            chunk = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return True
        self.size += len(chunk)
        self.head += chunk[: self.limit - len(self.head)]
        self.tail = (self.tail + chunk)[-_TAIL:]
        return bool(chunk)

    @property
    def text(self) -> str:
        """What was kept, the first and the last bytes, for recognising error messages."""
        rest = self.size - len(self.head)
        kept = bytes(self.head) + self.tail[-rest:] if rest else bytes(self.head)
        return kept.decode(errors="replace")

    def read_rest(self) -> None:
        """Read what the pipe still holds; every writer must be dead."""
        before = -1
        while before != self.size:
            before = self.size
            self.read()


@dataclass(frozen=True, slots=True)
class Ending:
    """How a supervised process tree ended.

    Attributes:
        exit_code: the program's own, 128 + signal number if one killed it; None if unknown
            because it was killed by us or never started.
        started: the sandbox was set up and the program got control.
        timed_out: killed by us at the time limit.
        seconds: wall time, set-up included.
        stdout: its standard output.
        stderr: its standard error; the sandbox's own complaint if it did not start.
    """

    exit_code: int | None
    started: bool
    timed_out: bool
    seconds: float
    stdout: Stream
    stderr: Stream


def supervise(
    argv: Sequence[str],
    leash: Leash,
    *,
    env: Mapping[str, str],
    fds: Sequence[int],
    status: tuple[int, int],
    stdin: int,
    seconds: float,
    keep: int,
) -> Ending:
    """Run a bubblewrap command line to its end, and leave no process of it.

    Args:
        argv: the command line.
        leash: the run it belongs to.
        env: the whole environment of bubblewrap: a program can read it from /proc/1/environ.
        fds: descriptors the command inherits.
        status: read and write end of the pipe given as ``--json-status-fd``; both are closed.
        stdin: descriptor of the standard input.
        seconds: wall time limit.
        keep: bytes kept of each output.

    Raises:
        Cancelled: the leash was pulled.
        OSError: the process could not be created.
    """
    begin = time.monotonic()
    with os.fdopen(status[0], "rb", buffering=0):
        init = _Init(Stream(status[0], _CHUNK))
        try:
            process = subprocess.Popen(
                argv,
                env=env,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[*fds, status[1]],
                process_group=leash.group,
            )
        finally:
            os.close(status[1])
        with process, os.fdopen(os.pidfd_open(process.pid), "rb", buffering=0) as ended:
            assert process.stdout is not None and process.stderr is not None  # noqa: S101 - types
            stdout, stderr = (
                Stream(pipe.fileno(), keep) for pipe in (process.stdout, process.stderr)
            )
            try:
                timed_out = _drain(
                    (stdout, stderr, init), (ended.fileno(), leash.pulled), begin + seconds
                )
                init.read()
                code, seen = init.exit_code, init.seen
            finally:
                _end(process, ended.fileno(), init)
            stdout.read_rest()
            stderr.read_rest()
    timed_out &= code is None
    started = code is not None or (timed_out and seen)
    return Ending(code, started, timed_out, time.monotonic() - begin, stdout, stderr)


def _drain(
    readers: Sequence[Stream | _Init], ended_or_pulled: tuple[int, int], deadline: float
) -> bool:
    """Read until the process ends; return True if the deadline came first."""
    ended, pulled = ended_or_pulled
    with selectors.DefaultSelector() as selector:
        for fd in ended_or_pulled:
            selector.register(fd, selectors.EVENT_READ)
        for reader in readers:
            selector.register(reader.fd, selectors.EVENT_READ, reader)
        while (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                if key.fd == ended:
                    return False
                if key.fd == pulled:
                    raise Cancelled
                if not key.data.read():
                    selector.unregister(key.fd)
    return True


class _Init:
    """Process 1 of the sandbox, known from bubblewrap's status pipe; all others die with it."""

    def __init__(self, report: Stream) -> None:
        self.fd = report.fd
        self.exit_code: int | None = None
        self.seen = False
        self._report = report
        self._pidfd: int | None = None

    def read(self) -> bool:
        """Read the status pipe once; return False at its end."""
        more = self._report.read()
        for line in bytes(self._report.head).splitlines(keepends=True):
            if line.endswith(b"\n"):
                self._note(json.loads(line))
        return more

    def _note(self, status: dict[str, int]) -> None:
        self.exit_code = status.get("exit-code", self.exit_code)
        if "child-pid" in status and not self.seen:
            self.seen = True
            with suppress(ProcessLookupError):
                self._pidfd = os.pidfd_open(status["child-pid"])

    def end(self) -> None:
        """Kill it and wait until it, and with it its whole process namespace, is gone."""
        if self._pidfd is None:
            return
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        if not _readable(self._pidfd):
            logger.warning("a killed sandbox is still there after %s seconds", _DEATH_SECONDS)
        with suppress(ChildProcessError):
            # As process 1 of a container we inherit it, and nobody else would bury it.
            os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
        os.close(self._pidfd)
        self._pidfd = None


def _end(process: subprocess.Popen[bytes], ended: int, init: _Init) -> None:
    """End a sandbox from the inside: its outer processes then end and bury each other."""
    # Until bubblewrap has said who process 1 is, killing it would leave process 1 alone.
    while not init.seen and _readable(init.fd) and init.read():
        pass
    init.end()
    if not _readable(ended):
        process.kill()
    process.wait()


def _readable(fd: int) -> bool:
    """Wait until a descriptor has something to say; return False if it takes too long."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(int(_DEATH_SECONDS * 1000)))
