from math import isclose, sqrt

import pytest

from rr_harness.metrics import summarise
from rr_harness.metrics.summary import clustered_interval
from rr_harness.pools import read_pools
from rr_harness.records import Candidate, Pool, Problem, Verdict
from rr_harness.selection import default_rules, find_rule


def pool(name, verdicts, logprobs=None):
    logprobs = logprobs or [None] * len(verdicts)
    drawn = (
        Candidate(str(i), logprob=p).with_verdict(v)
        for i, (v, p) in enumerate(zip(verdicts, logprobs, strict=True))
    )
    return Pool(Problem(name, "py", "", ""), tuple(drawn))


OK, BAD, NONE = Verdict.OK, Verdict.EXCEPTION, Verdict.NO_TOOLCHAIN
RULES = {name: find_rule(name) for name in default_rules([])}


def test_every_number_of_a_small_pool():
    pools = [
        pool("a", [BAD, OK], [-1.0, -0.5]),
        pool("b", [OK, OK], [-1.0, -2.0]),
        pool("c", [BAD, BAD], [0, 0]),
    ]
    summary = summarise(pools, RULES)
    assert (summary.problems, summary.unmeasured, summary.n) == (3, 0, (2, 2))
    assert isclose(summary.pass_at[1], 0.5) and list(summary.pass_at) == [1]
    assert isclose(summary.oracle, 2 / 3)
    assert isclose(summary.rules["logprob"].best_of_n, 2 / 3)
    assert isclose(summary.rules["logprob"].recovered_gap, 1)
    assert isclose(summary.rules["first"].best_of_n, 1 / 3)
    assert isclose(summary.rules["random"].best_of_n, 0.5)
    assert isclose(summary.rules["random"].recovered_gap, 0)
    assert summary.verdicts == {"Exception": 3, "OK": 3}


def test_a_problem_that_was_not_run_is_left_out_never_zero():
    summary = summarise([pool("a", [OK, BAD]), pool("b", [NONE, NONE])], RULES)
    assert (summary.problems, summary.unmeasured) == (1, 1)
    assert isclose(summary.pass_at[1], 0.5)
    assert summary.verdicts["NoToolchain"] == 2


def test_nothing_measured_has_no_rate():
    result = summarise([pool("a", [NONE])], RULES).to_json()
    assert result["oracle"] is None and "pass@1" not in result
    assert result["rules"]["random"]["best_of_n"] is None


def test_a_missing_logprob_makes_the_rule_not_applicable():
    summary = summarise(
        [pool("a", [OK, BAD], [-1.0, None]), pool("b", [OK, BAD], [-1.0, -2.0])], RULES
    )
    assert summary.rules["logprob"].best_of_n is None


def test_interval_of_single_item_clusters_is_the_usual_one():
    values = [0.0, 1.0, 1.0, 0.0, 1.0]
    low, high = clustered_interval(values, list("abcde"))
    mean = 0.6
    error = 1.959964 * sqrt(sum((v - mean) ** 2 for v in values) / 4 / 5)
    assert isclose(low, mean - error) and isclose(high, min(1.0, mean + error))


def test_copies_of_a_problem_add_no_certainty():
    once = clustered_interval([0.0, 1.0, 1.0, 0.0], list("abcd"))
    twice = clustered_interval([0.0, 1.0, 1.0, 0.0] * 2, list("abcd") * 2)
    assert once == pytest.approx(twice)


def test_reference_numbers_of_the_real_pool(shared):
    path = shared / "data" / "samples" / "humaneval_py_codegen16b_n100.jsonl.gz"
    summary = summarise(read_pools(path), RULES)
    assert [round(summary.pass_at[k], 3) for k in (1, 10, 100)] == [0.221, 0.504, 0.738]
    assert round(summary.rules["first"].best_of_n, 3) == 0.183
    assert round(summary.rules["oracle"].best_of_n, 3) == 0.738
