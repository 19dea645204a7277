import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rr_harness.errors import BadInput
from rr_harness.pools import read_pools, read_rows
from rr_harness.records import (
    Candidate,
    IOTest,
    Pool,
    Problem,
    Verdict,
    origin_of,
    pool_from_json,
    pool_to_json,
    program_text,
)

ROW = {"name": "a", "language": "py", "prompt": "def f():\n", "tests": "f()", "candidates": []}


@pytest.mark.parametrize(
    "file",
    [
        "fixtures/humaneval_py_20x20",
        "samples/humaneval_py_codegen16b_n100",
        "samples/humaneval_py_mixed_models",
        "samples/mbpp_py_mixed_models",
    ],
)
def test_every_pool_of_the_data_survives_a_round_trip(shared, file):
    path = shared / "data" / f"{file}.jsonl.gz"
    rows = [row for _, row in read_rows(path)]
    again = [json.loads(json.dumps(pool_to_json(pool))) for pool in read_pools(path)]
    assert again == rows


text = st.text(max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
candidates = st.builds(
    Candidate,
    completion=text,
    form=st.sampled_from(["completion", "program"]),
    logprob=st.none() | numbers,
    n_tokens=st.none() | st.integers(0, 10**9),
    scores=st.dictionaries(text, numbers, max_size=2),
    verdict=st.none() | st.sampled_from(list(Verdict)),
).map(lambda candidate: candidate.with_verdict(candidate.verdict))
problems = st.builds(
    Problem,
    name=text.filter(bool),
    language=text.filter(bool),
    prompt=text,
    tests=text,
    stop_tokens=st.lists(text.filter(bool), max_size=2).map(tuple),
    origin=st.none() | text.filter(bool),
    prelude=text,
    io_tests=st.lists(st.builds(IOTest, text, text), max_size=2).map(tuple),
    generated_tests=st.lists(text, max_size=2).map(tuple),
    extra=st.dictionaries(st.just("entry_point"), st.none() | text),
)


@given(problems, st.lists(candidates, max_size=3).map(tuple))
def test_a_pool_is_its_json_form(problem, drawn):
    pool = Pool(problem, drawn, {"model": "m"})
    assert pool_from_json(json.loads(json.dumps(pool_to_json(pool)))) == pool


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": None}, "field 'name' is missing: expected a non-empty string"),
        ({"prompt": 3}, "field 'prompt': expected a string, got 3"),
        ({"tests": None}, "field 'tests' is missing"),
        ({"stop_tokens": "x"}, "field 'stop_tokens': expected a list of non-empty strings"),
        ({"candidates": None}, "field 'candidates' is missing: expected a list of candidates"),
        ({"candidates": ["x"]}, r"field 'candidates\[0\]': expected an object, got 'x'"),
        ({"candidates": [{}]}, r"field 'candidates\[0\].completion' is missing"),
        (
            {"candidates": [{"completion": "", "logprob": "low"}]},
            r"field 'candidates\[0\].logprob': expected a number, got 'low'",
        ),
        (
            {"candidates": [{"completion": "", "verdict": "ok"}]},
            r"candidates\[0\].verdict': expected one of OK, Exception, SyntaxError, Timeout",
        ),
        (
            {"candidates": [{"completion": "", "logprob": 10**400}]},
            r"candidates\[0\].logprob': expected a number",
        ),
        (
            {"candidates": [{"completion": "", "verdict": "OK", "passed": False}]},
            r"candidates\[0\].passed': expected true beside verdict 'OK', got false",
        ),
        (
            {"candidates": [{"completion": "", "passed": 1}]},
            r"candidates\[0\].passed': expected true, false or null, got 1",
        ),
        (
            {"candidates": [{"completion": "", "scores": {"m": None}}]},
            r"candidates\[0\].scores': expected an object of finite numbers",
        ),
    ],
)
def test_a_bad_field_is_named_with_what_was_expected(change, message):
    with pytest.raises(BadInput, match=message):
        pool_from_json({**ROW, **change})


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("HumanEval_27_flip_case", "HumanEval/27"),
        ("HumanEval/5", "HumanEval/5"),
        ("mbpp_11_remove_Occ", "mbpp/11"),
        ("Mbpp/2", "mbpp/2"),
        ("MBPP/11", "mbpp/11"),
        ("MBJSP/601", "mbpp/601"),
        ("MBCPP/1", "mbpp/1"),
        ("CPP/0", "HumanEval/0"),
        ("JavaScript/12", "HumanEval/12"),
        ("lab_3", None),
    ],
)
def test_copies_of_a_public_problem_share_its_origin(name, origin):
    assert origin_of(name) == origin


def test_every_problem_of_the_data_has_an_origin(shared):
    from rr_harness.suites import load_suite, suites

    folder = shared / "data" / "problems"
    loaded = 0
    for name, suite in suites().items():
        if (folder / f"{suite.file}.jsonl.gz").is_file():
            loaded += 1
            assert all(problem.origin for problem in load_suite(name, folder)), name
    assert loaded == 44 + 2 + 6 + 13


def test_a_program_is_prompt_completion_newline_tests():
    problem = Problem("a", "py", "def f():\n", "f()", prelude="import os\n")
    assert program_text(problem, Candidate("    pass")) == "def f():\n    pass\nf()"
    whole = Candidate("def f(): pass", form="program")
    assert program_text(problem, whole) == "import os\ndef f(): pass\nf()"


def test_a_verdict_says_whether_it_passed():
    row = {**ROW, "candidates": [{"completion": "", "verdict": v} for v in ("OK", "Timeout")]}
    assert [c.passed for c in pool_from_json(row).candidates] == [True, False]


def test_not_run_is_not_failed():
    unknown = {verdict for verdict in Verdict if verdict.passed is None}
    assert unknown == {Verdict.NO_TOOLCHAIN, Verdict.INFRASTRUCTURE_ERROR}
    assert [verdict for verdict in Verdict if verdict.passed] == [Verdict.OK]
