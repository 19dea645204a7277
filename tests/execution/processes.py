"""Look for processes that a run left behind."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


@contextmanager
def orphans() -> Iterator[Callable[[], list[str]]]:
    """Give a function that lists the processes started since, also those whose parents died."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = set(_children())
    try:
        yield lambda: [process for process in _children() if process not in before]
    finally:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _children() -> list[str]:
    """Return number, name and state of our children, zombies too."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            front, back = path.read_text().rsplit(")", 1)
        except OSError:
            continue
        state, parent = back.split()[:2]
        if int(parent) == os.getpid():
            found.append(f"{front}) {state}")
    return found


def running(word: str) -> list[str]:
    """Return the command lines, of any user, that contain a word."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if word in line:
            found.append(line)
    return found


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Wait for something another process does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
