"""Run a reranker over pools: fixed chunks, each scored pool kept, resumable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rr_harness.generation.stage import Progress, in_chunks
from rr_harness.pools import Journal
from rr_harness.records import Pool, Problem

POOLS_PER_CALL = 64
"""Enough candidates at once to sort them by length into even batches."""


class Reranker(Protocol):
    """Anything that scores the candidates of a problem; higher is better.

    Attributes:
        name: the name its scores are stored under.
    """

    name: str

    def fingerprint(self) -> str:
        """Return the identity of what is behind the name."""
        ...

    def score(self, problem: Problem, completions: Sequence[str]) -> list[float]:
        """Return one score for each completion of a problem."""
        ...

    def score_pools(self, pools: Sequence[Pool]) -> list[Pool]:
        """Return the pools with one more score for every candidate."""
        ...


def score_pools(
    reranker: Reranker,
    pools: Sequence[Pool],
    journal: Journal | None = None,
    on_progress: Progress | None = None,
) -> list[Pool]:
    """Score every candidate of every pool.

    Args:
        reranker: what scores.
        pools: each problem once.
        journal: keeps each scored pool, and has those of earlier runs.
        on_progress: told after each chunk.

    Returns:
        The pools in the same order, with the scores under the reranker's name.

    Raises:
        BadInput: a problem occurs twice.
    """

    def score(start: int, stop: int) -> list[Pool]:
        return reranker.score_pools(pools[start:stop])

    problems = [pool.problem for pool in pools]
    return in_chunks(problems, POOLS_PER_CALL, score, journal, on_progress)
