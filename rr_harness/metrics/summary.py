"""The numbers of a whole pool file: pass@k, and every rule's best-of-n beside its controls."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rr_harness.metrics.estimators import best_of_k, pass_at_k, recovered_gap
from rr_harness.records import Pool
from rr_harness.selection import Rule

KS = (1, 10, 100)
_Z = 1.959964  # 97.5 % quantile of the normal distribution


@dataclass(frozen=True, slots=True)
class RuleSummary:
    """What one rule achieves.

    Attributes:
        best_of_n: share of problems whose chosen candidate passes; None where the rule is n/a.
        recovered_gap: share of the gap from pass@1 to the oracle; None without a gap.
        interval: 95 % interval of ``best_of_n``, clustered by public problem.
    """

    best_of_n: float | None
    recovered_gap: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers of one pool file.

    Attributes:
        n: candidates of each problem: one number, or the smallest and the largest.
        problems: problems measured: those whose candidates all have a verdict.
        unmeasured: problems left out, for want of a toolchain for example.
        pass_at: k to pass@k, for those k that every problem has candidates for.
        interval: 95 % interval of pass@1.
        oracle: share of problems with a passing candidate.
        verdicts: count of every verdict, of unmeasured problems too.
        rules: rule name to what it achieves.
    """

    n: tuple[int, int]
    problems: int
    unmeasured: int
    pass_at: Mapping[int, float]
    interval: tuple[float, float] | None
    oracle: float | None
    verdicts: Mapping[str, int]
    rules: Mapping[str, RuleSummary]

    def to_json(self) -> dict[str, Any]:
        """Return the public JSON form (DESIGN, section 4)."""
        low, high = self.n
        return {
            "schema": 1,
            "n": low if low == high else [low, high],
            "problems": self.problems,
            "unmeasured": self.unmeasured,
            **{f"pass@{k}": value for k, value in self.pass_at.items()},
            "pass@1_interval": self.interval,
            "oracle": self.oracle,
            "verdicts": dict(self.verdicts),
            "rules": {
                name: {
                    "best_of_n": rule.best_of_n,
                    "recovered_gap": rule.recovered_gap,
                    "interval": rule.interval,
                }
                for name, rule in self.rules.items()
            },
        }


class _Column:
    """One number per problem, and the cluster each belongs to."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.clusters: list[str] = []

    def add(self, value: float, cluster: str) -> None:
        self.values.append(value)
        self.clusters.append(cluster)

    def mean(self) -> float | None:
        return math.fsum(self.values) / len(self.values) if self.values else None


def clustered_interval(
    values: Sequence[float], clusters: Sequence[str]
) -> tuple[float, float] | None:
    """Return the 95 % normal interval of a mean whose items come in clusters, cut to [0, 1].

    Standard error as in Miller 2024, arXiv 2411.00640, section 2.2: items of one cluster (one
    problem in several languages) are not independent.

    Args:
        values: one number per item, within [0, 1]; shape [items].
        clusters: the cluster of each item; shape [items].

    Returns:
        (low, high), or None for fewer than two clusters.
    """
    sums: defaultdict[str, float] = defaultdict(float)
    if len(set(clusters)) < 2:
        return None
    mean = math.fsum(values) / len(values)
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] += value - mean
    error = math.sqrt(math.fsum(total * total for total in sums.values())) / len(values)
    # g / (g - 1): without it the interval of few clusters is too narrow.
    error *= math.sqrt(len(sums) / (len(sums) - 1))
    return max(0.0, mean - _Z * error), min(1.0, mean + _Z * error)


def summarise(pools: Iterable[Pool], rules: Mapping[str, Rule]) -> Summary:
    """Compute all numbers in one pass over the pools.

    A problem counts only if all its candidates were run: not run is not failed. A rule that is
    n/a for one problem is n/a for all, since rules are compared on the same problems.

    Args:
        pools: executed pools.
        rules: rule name to rule.
    """
    sizes: list[int] = []
    unmeasured = 0
    verdicts: Counter[str] = Counter()
    pass_at = {k: _Column() for k in KS}
    oracle = _Column()
    chosen: dict[str, _Column | None] = {name: _Column() for name in rules}
    for pool in pools:
        verdicts.update(str(c.verdict) for c in pool.candidates if c.verdict is not None)
        passed = [candidate.passed for candidate in pool.candidates]
        if not passed or None in passed:
            unmeasured += 1
            continue
        outcomes = [outcome is True for outcome in passed]
        n, cluster = len(outcomes), pool.problem.cluster
        sizes.append(n)
        for k, column in pass_at.items():
            if k <= n:
                column.add(pass_at_k(n, sum(outcomes), k), cluster)
        oracle.add(float(any(outcomes)), cluster)
        for name, rule in rules.items():
            scores = rule(pool)
            if scores is None:
                chosen[name] = None
            elif (kept := chosen[name]) is not None:
                kept.add(best_of_k(scores, outcomes, n), cluster)
    problems = len(sizes)
    base, top = pass_at[1].mean(), oracle.mean()
    return Summary(
        n=(min(sizes, default=0), max(sizes, default=0)),
        problems=problems,
        unmeasured=unmeasured,
        pass_at={
            k: value
            for k, column in pass_at.items()
            if len(column.values) == problems and (value := column.mean()) is not None
        },
        interval=clustered_interval(pass_at[1].values, pass_at[1].clusters),
        oracle=top,
        verdicts=dict(sorted(verdicts.items())),
        rules={name: _summarise_rule(column, base, top) for name, column in chosen.items()},
    )


def _summarise_rule(column: _Column | None, base: float | None, top: float | None) -> RuleSummary:
    value = column.mean() if column else None
    if column is None or value is None or base is None or top is None:
        return RuleSummary(None)
    interval = clustered_interval(column.values, column.clusters)
    return RuleSummary(value, recovered_gap(value, base, top), interval)
