import pytest

from rr_harness.errors import BadInput
from rr_harness.records import Candidate, Pool, Problem, Verdict
from rr_harness.registry import names
from rr_harness.selection import choose, find_rule


def pool(*candidates):
    return Pool(Problem("p", "py", "", ""), candidates)


def scores(rule, *candidates, scorers=()):
    return find_rule(rule, scorers)(pool(*candidates))


def test_each_rule_on_one_pool():
    drawn = (
        Candidate("x", logprob=-2.0, scores={"m": 0.5}).with_verdict(Verdict.EXCEPTION),
        Candidate("y\n", logprob=-1.0, scores={"m": 0.1}).with_verdict(Verdict.OK),
        Candidate("y", logprob=-3.0, scores={"m": 0.9}).with_verdict(Verdict.OK),
    )
    assert scores("first", *drawn) == [0, -1, -2]
    assert scores("random", *drawn) == [0, 0, 0]
    assert scores("logprob", *drawn) == [-2, -1, -3]
    assert scores("majority", *drawn) == [1, 2, 2]
    assert scores("oracle", *drawn) == [0, 1, 1]
    assert scores("reranker", *drawn) == [0.5, 0.1, 0.9]
    assert scores("m", *drawn, scorers=["m"]) == [0.5, 0.1, 0.9]


def test_a_rule_without_its_data_is_not_applicable():
    bare = Candidate("x")
    assert scores("logprob", Candidate("y", logprob=-1.0), bare) is None
    assert scores("oracle", bare) is None
    assert scores("reranker", bare) is None


def test_two_scorers_must_be_told_apart():
    with pytest.raises(BadInput, match="has scores of m, w; name one of these"):
        scores("reranker", Candidate("x", scores={"m": 1, "w": 2}))


def test_a_scorer_with_the_name_of_a_rule_can_be_named():
    drawn = [Candidate("x", scores={"reranker": 1.0, "w": 2.0})]
    assert scores("reranker", *drawn, scorers=["reranker", "w"]) == [1.0]


def test_an_unknown_rule_is_an_error_with_the_nearest():
    with pytest.raises(BadInput, match="unknown rule 'logprop'; did you mean 'logprob'"):
        find_rule("logprop")


def test_the_first_of_equals_is_submitted():
    assert choose([0.0, 2.0, 2.0]) == 1


def test_built_in_rules_come_in_by_the_entry_points():
    assert set(names("selectors")) >= {
        "first",
        "logprob",
        "majority",
        "oracle",
        "random",
        "reranker",
    }
