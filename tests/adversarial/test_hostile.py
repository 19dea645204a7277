"""Every hostile program of the shared corpus: contained, whatever it tries.

Whether an early exit or a faked result counts as a pass is not decided here yet: for these classes
only containment is asserted, and so for what only a filter on system calls can refuse.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from rr_harness.execution import Engine, Limits, Program, canonical_language, find_language
from rr_harness.records import Verdict
from tests.conftest import SHARED, need
from tests.execution.processes import orphans

HOSTILE = SHARED / "hostile"
LIMITS = Limits(seconds=1.5, memory_mib=256, processes=64, disk_mib=16)
STOPPED = {Verdict.EXCEPTION, Verdict.TIMEOUT}

ALLOWED = {
    "01_fork_bomb.py": STOPPED,
    "03_disk_fill.py": {Verdict.EXCEPTION},
    "05_ignore_sigterm.py": {Verdict.TIMEOUT},
    "06_daemon_survivor.py": {Verdict.OK},
    "07_network.py": {Verdict.EXCEPTION},
    "09_write_outside.py": {Verdict.EXCEPTION},
    "24_proc_snoop.py": {Verdict.EXCEPTION},
    "26_honest_noisy.py": {Verdict.OK},
    "29_honest_caught_exit.py": {Verdict.OK},
    "32_compile_bomb.cpp": {Verdict.SYNTAX_ERROR, Verdict.TIMEOUT},
    "42_memory_bomb.js": {Verdict.EXCEPTION, Verdict.OUT_OF_MEMORY},
    "46_honest_exit_handler.js": {Verdict.OK},
    "54_stderr_flood.sh": STOPPED,
}
ESCAPED = [
    Path(path)
    for path in (
        "/etc/hostile", "/usr/lib/hostile", "/root/hostile", "/var/tmp/hostile", "/dev/hostile",
        "/tmp/hostile_daemon_was_here",
    )
]  # fmt: skip


def corpus() -> list[Path]:
    return sorted(path for path in HOSTILE.glob("*_*.*") if path.suffix != ".md")


def test_the_corpus_is_there() -> None:
    need(bool(corpus()), "the corpus of hostile programs (../shared/hostile)")
    assert set(ALLOWED) <= {path.name for path in corpus()}


@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.name)
def test_a_hostile_program_is_contained(path: Path) -> None:
    language = find_language(canonical_language(path.suffix[1:]))
    assert language is not None, "install the package: pip install -e ."
    need(language.toolchain() is not None, f"the toolchain of {path.suffix} ({language.install})")
    limits = replace(LIMITS, seconds=4) if path.suffix in (".cpp", ".java") else LIMITS
    with orphans() as left, Engine(1, limits) as engine:
        [(_, outcome)] = engine.run([Program(language.name, path.read_text())])
        assert left() == []
    # The README of the corpus allows one second to kill, and a compiled program has two steps.
    assert outcome.seconds < 2 * ((limits.seconds or 0) + 1)
    assert outcome.passed is not None, outcome
    assert outcome.verdict in ALLOWED.get(path.name, set(Verdict)), outcome
    assert len(outcome.stdout) <= LIMITS.output_bytes
    assert len(outcome.stderr) <= LIMITS.output_bytes
    assert "root:" not in outcome.stdout + outcome.stderr
    assert [place for place in ESCAPED if os.path.lexists(place)] == []
