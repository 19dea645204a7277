"""Progress of long work: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

_SECONDS_BETWEEN_LINES = 10.0


class Bar:
    """Counts finished items; ``note`` is shown beside the count."""

    def __init__(self, title: str, total: int | None, unit: str) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._done = 0
        self._note = ""
        self._start = self._last = time.monotonic()

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count finished items."""
        self._done += count
        self._note = note or self._note
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = now
            self.show()

    def reach(self, done: int, total: int) -> None:
        """Count up to ``done`` of ``total`` finished items."""
        self._total = total
        self.advance(done - self._done)

    def show(self) -> None:
        """Print the state as one line."""
        seconds = time.monotonic() - self._start
        of = f"/{self._total}" if self._total is not None else ""
        rate = f", {self._done / seconds:.1f}/s" if seconds > 0 and self._done else ""
        note = f", {self._note}" if self._note else ""
        click.echo(f"{self._title}: {self._done}{of} {self._unit}{rate}{note}", err=True)


class _RichBar(Bar):
    def __init__(self, title: str, total: int | None, unit: str) -> None:
        super().__init__(title, total, unit)
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.rich = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TextColumn(unit), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=Console(stderr=True),
        )  # fmt: skip
        self._task = self.rich.add_task(title, total=total, note="")

    def advance(self, count: int = 1, note: str = "") -> None:
        self._done += count
        self._note = note or self._note
        self.rich.update(self._task, advance=count, note=self._note)


@contextmanager
def progress(title: str, total: int | None, unit: str) -> Iterator[Bar]:
    """Show the progress of a block on standard error.

    Args:
        title: what is done.
        total: items in all, or None if unknown.
        unit: what is counted, in the plural.
    """
    if sys.stderr.isatty():
        bar = _RichBar(title, total, unit)
        with bar.rich:
            yield bar
    else:
        plain = Bar(title, total, unit)
        yield plain
        plain.show()
