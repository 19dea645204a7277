"""The errors of rr-harness: every message says what, which value, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RRHarnessError(Exception):
    """Root of all errors raised on purpose. ``exit_code`` is what the CLI exits with."""

    exit_code = 1


class BadInput(RRHarnessError):
    """A user's mistake: a bad value, a bad file, a missing package."""

    exit_code = 2


class SandboxUnavailable(BadInput):
    """No working sandbox: generated programs are not executed."""


class MissingExtra(BadInput):
    """A feature needs packages of an extra that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs more packages: pip install 'rr-harness[{extra}]'")


def unknown_name(kind: str, name: str, known: Iterable[str]) -> BadInput:
    """Build the error for a name nobody knows, with the nearest known one.

    Args:
        kind: what was named, for example ``"suite"``.
        name: the value given.
        known: every accepted value.
    """
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return BadInput(f"unknown {kind} {name!r}; {hint}known: {', '.join(choices) or 'none'}")
