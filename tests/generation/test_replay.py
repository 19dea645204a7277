from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rr_harness.errors import BadInput
from rr_harness.generation import Sampling
from rr_harness.generation.replay import ReplayGenerator
from rr_harness.pools import write_pools
from rr_harness.records import Candidate, Pool, Problem, Verdict

PROBLEM = Problem("p", "py", "def f():\n", "f()\n", extra={"sampling": {"temperature": 0.2}})
CANDIDATES = tuple(
    Candidate(
        f"    return {number}\n",
        logprob=-0.5,
        n_tokens=4,
        scores={"rm": 1.5},
        verdict=Verdict.OK,
        passed=True,
        extra={"note": number},
    )
    for number in range(3)
)


@pytest.fixture
def stored(tmp_path: Path) -> ReplayGenerator:
    path = tmp_path / "pool.jsonl"
    write_pools(path, [Pool(PROBLEM, CANDIDATES, {"model": "m", "seed": 3})])
    return ReplayGenerator(str(path))


def test_first_n_candidates_in_order(stored: ReplayGenerator) -> None:
    (pool,) = stored.generate([PROBLEM], Sampling(n=2))
    assert [c.completion for c in pool.candidates] == [c.completion for c in CANDIDATES[:2]]


def test_none_means_all(stored: ReplayGenerator) -> None:
    (pool,) = stored.generate([PROBLEM], Sampling(n=None))
    assert len(pool.candidates) == 3


def test_facts_stay_and_verdicts_go(stored: ReplayGenerator) -> None:
    (pool,) = stored.generate([PROBLEM], Sampling(n=1))
    assert pool.candidates[0] == replace(CANDIDATES[0], verdict=None, passed=None)


def test_how_it_was_drawn_stays(stored: ReplayGenerator) -> None:
    (pool,) = stored.generate([replace(PROBLEM, extra={})], Sampling(n=1, seed=9))
    assert pool.generator == {"model": "m", "seed": 3}
    assert pool.problem.extra["sampling"] == {"temperature": 0.2}


def test_tests_are_those_of_the_problem_asked_for(stored: ReplayGenerator) -> None:
    (pool,) = stored.generate([replace(PROBLEM, tests="other\n")], Sampling(n=1))
    assert pool.problem.tests == "other\n"


def test_too_few_candidates(stored: ReplayGenerator) -> None:
    with pytest.raises(BadInput, match=r"'p' \(py\) has 3 stored candidates, 4 asked for"):
        stored.generate([PROBLEM], Sampling(n=4))


@pytest.mark.parametrize("change", [{"name": "q"}, {"language": "js"}])
def test_problem_that_is_not_stored(stored: ReplayGenerator, change: dict[str, str]) -> None:
    other = replace(PROBLEM, **change)
    with pytest.raises(BadInput, match=rf"'{other.name}' \({other.language}\) is not stored"):
        stored.generate([other], Sampling(n=1))


def test_other_prompt(stored: ReplayGenerator) -> None:
    with pytest.raises(BadInput, match=r"'p'.*another prompt"):
        stored.generate([replace(PROBLEM, prompt="def f(x):\n")], Sampling(n=1))


def test_problems_of_one_language(stored: ReplayGenerator) -> None:
    assert stored.problems("py") == stored.problems() == [PROBLEM]
    with pytest.raises(BadInput, match="no problem in language 'js'; it has py"):
        stored.problems("js")


def test_bundled_pool_by_bare_name() -> None:
    generator = ReplayGenerator("humaneval_py_20x20")
    pools = generator.generate(generator.problems(), Sampling(n=None))
    assert [len(pool.candidates) for pool in pools] == [20] * 20
    assert {c.verdict for pool in pools for c in pool.candidates} == {None}
    assert generator.describe() == {"backend": "replay", "model": "humaneval_py_20x20"}


def test_unknown_name_lists_the_bundled_ones() -> None:
    with pytest.raises(BadInput, match="nope: no such file; bundled pools: humaneval_py_20x20"):
        ReplayGenerator("nope")


def test_fingerprint_follows_the_content(stored: ReplayGenerator, tmp_path: Path) -> None:
    before = stored.fingerprint()
    write_pools(tmp_path / "pool.jsonl", [Pool(PROBLEM, CANDIDATES[:1])])
    assert before.startswith("sha256:")
    assert stored.fingerprint() != before
