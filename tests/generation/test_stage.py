"""The stage on a generator that counts its calls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rr_harness.errors import BadInput
from rr_harness.generation import Sampling, generate_pools
from rr_harness.pools import Journal
from rr_harness.records import Candidate, Pool, Problem

PROBLEMS = [Problem(f"p{number}", "py", f"# {number}\n") for number in range(7)]
SAMPLING = Sampling(n=2)


class Counting:
    """Answers at once; dies at a given problem."""

    def __init__(self, dies_at: str = "") -> None:
        self.calls: list[list[str]] = []
        self.dies_at = dies_at

    def describe(self) -> dict[str, Any]:
        return {"backend": "counting"}

    def fingerprint(self) -> str:
        return "1"

    def problems_per_call(self, sampling: Sampling) -> int:
        return 3

    def generate(self, problems: Sequence[Problem], sampling: Sampling) -> list[Pool]:
        names = [problem.name for problem in problems]
        if self.dies_at in names:
            raise KeyboardInterrupt
        self.calls.append(names)
        return [Pool(p, (Candidate(p.name, logprob=-0.1),) * 2, self.describe()) for p in problems]


def test_pools_come_in_the_order_of_the_problems() -> None:
    pools = generate_pools(Counting(), PROBLEMS, SAMPLING)
    assert [pool.problem for pool in pools] == PROBLEMS


def test_progress_counts_problems() -> None:
    seen: list[tuple[int, int]] = []
    generate_pools(Counting(), PROBLEMS, SAMPLING, on_progress=lambda *at: seen.append(at))
    assert seen == [(3, 7), (6, 7), (7, 7)]


def test_resume_does_only_what_is_missing_in_the_same_chunks(tmp_path: Path) -> None:
    output = tmp_path / "pool.jsonl"
    with Journal(output, {}) as journal, pytest.raises(KeyboardInterrupt):
        generate_pools(Counting("p4"), PROBLEMS, SAMPLING, journal)
    generator = Counting()
    with Journal(output, {}) as journal:
        pools = generate_pools(generator, PROBLEMS, SAMPLING, journal)
    assert generator.calls == [["p3", "p4", "p5"], ["p6"]]
    assert pools == generate_pools(Counting(), PROBLEMS, SAMPLING)


def test_half_kept_chunk_is_completed_without_doubles(tmp_path: Path) -> None:
    output = tmp_path / "pool.jsonl"
    with Journal(output, {}) as journal:
        generate_pools(Counting(), PROBLEMS[:3], SAMPLING, journal)
    lines = journal.path.read_text().splitlines(keepends=True)
    journal.path.write_text("".join(lines[:2]) + lines[2][:10])
    generator = Counting()
    with Journal(output, {}) as journal:
        generate_pools(generator, PROBLEMS[:3], SAMPLING, journal)
    assert generator.calls == [["p0", "p1", "p2"]]
    assert journal.path.read_text().splitlines(keepends=True) == lines


def test_duplicate_problem_is_refused_before_any_work() -> None:
    generator = Counting()
    with pytest.raises(BadInput, match=r"'p0' \(py\) is there twice"):
        generate_pools(generator, [*PROBLEMS, PROBLEMS[0]], SAMPLING)
    assert not generator.calls


def test_same_name_in_two_languages_is_two_problems() -> None:
    both = [Problem("p", "py", ""), Problem("p", "js", "")]
    assert len(generate_pools(Counting(), both, SAMPLING)) == 2
