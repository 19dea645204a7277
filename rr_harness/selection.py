"""Selection rules: how a pool's candidates are ranked, and which one is submitted.

A rule maps a pool to one score per candidate, higher is better, or to None where it does not apply
(a missing log-probability makes the rule n/a, never zero). Equal scores are a tie: a metric takes
the mean over the tied candidates, a submission the first of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from rr_harness.errors import BadInput, unknown_name
from rr_harness.records import Pool
from rr_harness.registry import load, names

Rule = Callable[[Pool], "Sequence[float] | None"]


def first(pool: Pool) -> list[float]:
    """Prefer the candidate drawn first: a plain single sample."""
    return [-float(index) for index in range(len(pool.candidates))]


def random(pool: Pool) -> list[float]:
    """Tie all candidates: metrics then give the exact expectation of a random choice."""
    return [0.0] * len(pool.candidates)


def logprob(pool: Pool) -> list[float] | None:
    """Prefer the highest mean log-probability per token (Chen et al. 2021, arXiv 2107.03374, 3.3).

    None if any candidate has no log-probability.
    """
    values = [candidate.logprob for candidate in pool.candidates]
    return None if None in values else [float(value) for value in values if value is not None]


def majority(pool: Pool) -> list[float]:
    """Prefer the most frequent text: self-consistency (Wang et al. 2022, arXiv 2203.11171).

    Texts are equal if they are so up to white space at their end.
    """
    texts = [candidate.completion.rstrip() for candidate in pool.candidates]
    counts = Counter(texts)
    return [float(counts[text]) for text in texts]


def oracle(pool: Pool) -> list[float] | None:
    """Prefer a candidate that passes: the best any rule could do. None without verdicts."""
    if any(candidate.passed is None for candidate in pool.candidates):
        return None
    return [float(candidate.passed is True) for candidate in pool.candidates]


def reranker(pool: Pool) -> Sequence[float] | None:
    """Prefer the highest score of the only scorer in the pool; None if there is none.

    Raises:
        BadInput: scores of several scorers; name the one to use as the rule.
    """
    scorers = sorted(set().union(*(candidate.scores for candidate in pool.candidates)))
    if len(scorers) > 1:
        raise BadInput(
            f"rule 'reranker': {pool.problem.name!r} has scores of {', '.join(scorers)}; "
            "name one of these as the rule"
        )
    return scored_by(scorers[0])(pool) if scorers else None


def scored_by(scorer: str) -> Rule:
    """Return the rule that prefers the highest score of one scorer."""

    def rule(pool: Pool) -> list[float] | None:
        if any(scorer not in candidate.scores for candidate in pool.candidates):
            return None
        return [candidate.scores[scorer] for candidate in pool.candidates]

    return rule


def find_rule(name: str, scorers: Sequence[str] = ()) -> Rule:
    """Return the rule of a name: a scorer that is in the pool, or a registered selector.

    Raises:
        BadInput: neither; the message names the nearest known one.
    """
    if name in scorers:
        return scored_by(name)
    if name in names("selectors"):
        rule: Rule = load("selectors", name)
        return rule
    raise unknown_name("rule", name, {*names("selectors"), *scorers})


def choose(scores: Sequence[float]) -> int:
    """Return the index to submit: the highest score, the first of equals.

    >>> choose([0.1, 0.7, 0.7])
    1
    """
    return max(range(len(scores)), key=scores.__getitem__)


def default_rules(scorers: Sequence[str]) -> list[str]:
    """Return the rules to compare when none are named: every scorer, and the controls."""
    scored = ["reranker"] if len(scorers) == 1 else list(scorers)
    return [*scored, "logprob", "majority", "first", "random", "oracle"]
