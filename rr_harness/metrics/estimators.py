"""Unbiased estimators from n candidates of one problem."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import comb


def pass_at_k(n: int, passing: int, k: int) -> float:
    """Return the probability that at least one of k candidates passes.

    ``1 - C(n - c, k) / C(n, k)`` of Chen et al. 2021, arXiv 2107.03374, section 2.1: the mean over
    all k-subsets of the n candidates.

    Args:
        n: candidates drawn.
        passing: how many of them pass.
        k: size of the subset.

    Raises:
        ValueError: unless 1 <= k <= n and 0 <= passing <= n. More than n candidates say nothing.
    """
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} needs 1 <= k <= n, got n={n}")
    if not 0 <= passing <= n:
        raise ValueError(f"passing={passing} must be from 0 to n={n}")
    return 1.0 - comb(n - passing, k) / comb(n, k)


def best_of_k(scores: Sequence[float], passed: Sequence[bool], k: int) -> float:
    """Return the probability that the highest-scored of k candidates passes.

    The mean over all k-subsets of the n candidates: with the outcomes y sorted by falling score,
    ``sum over r = 1..n of y_r * C(n - r, k - 1) / C(n, k)``: rank r is the best of a subset when
    the other k - 1 rank below it. Equal scores share the mean outcome of their block, which is
    exact for ties broken at random. k = 1 gives the mean, k = n the top candidate, and with the
    outcomes as scores it is pass@k.

    Args:
        scores: one score per candidate, higher is better; shape [n].
        passed: one outcome per candidate; shape [n].
        k: size of the subset.

    Raises:
        ValueError: unless 1 <= k <= n, or if the lengths differ.
    """
    n = len(scores)
    if len(passed) != n:
        raise ValueError(f"{n} scores for {len(passed)} outcomes")
    if not 1 <= k <= n:
        raise ValueError(f"best-of-{k} needs 1 <= k <= n, got n={n}")
    ranked = sorted(zip(scores, passed, strict=True), key=lambda pair: -pair[0])
    outcomes: list[float] = []
    for _, block in groupby(ranked, key=lambda pair: pair[0]):
        tied = [outcome for _, outcome in block]
        outcomes += [sum(tied) / len(tied)] * len(tied)
    subsets = comb(n, k)
    return sum(y * (comb(n - r, k - 1) / subsets) for r, y in enumerate(outcomes, start=1))


def recovered_gap(best_of_n: float, pass_at_1: float, oracle: float) -> float | None:
    """Return the share of the gap between one sample and the oracle that a rule closes.

    ``(best-of-n - pass@1) / (oracle - pass@1)``; None where there is no gap.
    """
    gap = oracle - pass_at_1
    return (best_of_n - pass_at_1) / gap if gap > 1e-12 else None
