"""The task files and the functions behind them."""

import importlib.util
import json
import math
import pickle

import pytest

from rr_harness.records import Candidate, Pool, Problem, Verdict
from rr_harness.suites import load_suite
from tests.conftest import ROOT

pytest.importorskip("lm_eval")
yaml = pytest.importorskip("yaml")


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("make_tasks", ROOT / "tasks" / "make_tasks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_task_files_are_what_the_maker_writes(maker):
    written = {path.name: path.read_text() for path in (ROOT / "tasks").glob("*.yaml")}
    hand_written = {"_bon.yaml", "_bon_repeats.yaml"}
    assert {name: text for name, text in written.items() if name not in hand_written} == (
        maker.all_files()
    )


def test_stop_tokens_are_those_of_the_data(maker, shared):
    for language, stop_tokens in maker.STOP_TOKENS.items():
        for suite in (f"multiple-{language}", f"multiple-mbpp-{language}"):
            for problem in load_suite(suite, shared / "data" / "problems"):
                assert list(problem.stop_tokens) == stop_tokens, (suite, problem.name)
    assert list(load_suite("mbpp")[0].stop_tokens) == maker.MBPP_STOP_TOKENS


def test_every_language_has_its_tasks_and_groups_name_only_them(maker):
    files = maker.all_files()
    tasks = {name.removesuffix(".yaml") for name in files}
    assert {f"multiple_{lang}_bon" for lang in maker.STOP_TOKENS} <= tasks
    assert {f"multiple_mbpp_{lang}_bon_repeats" for lang in maker.STOP_TOKENS} <= tasks
    for group in ("multiple_bon", "multiple_bon_paper", "multiple_bon_leaderboard"):
        assert set(yaml.safe_load(files[f"{group}.yaml"])["task"]) <= tasks


def test_a_problem_survives_as_a_document(shared):
    from lm_eval_rr.docs import to_doc, to_problem

    for suite in ("multiple-go", "humaneval", "humanevalpack-java", "mbpp"):
        for problem in load_suite(suite, shared / "data"):
            assert to_problem(json.loads(json.dumps(to_doc(problem, "t")))) == problem
    assert to_problem({"question": "?"}) is None


def response(verdicts, rule="reranker", scores=(0.1, 0.9)):
    from lm_eval_rr.response import Response

    candidates = tuple(
        Candidate(str(index), scores={"m": score}).with_verdict(verdict)
        for index, (verdict, score) in enumerate(zip(verdicts, scores, strict=True))
    )
    return Response("1", Pool(Problem("p", "py", "", ""), candidates), rule)


def test_one_pool_gives_every_metric():
    from lm_eval_rr.task import process_results

    metrics = process_results({}, [response([Verdict.EXCEPTION, Verdict.OK])])
    assert [c["verdict"] for c in metrics.pop("candidates")] == ["Exception", "OK"]
    assert metrics == {
        "best_of_n": 1.0,
        "pass@1": 0.5,
        "best_of_n_majority": 0.5,
        "oracle": 1.0,
        "recovered_gap": [1.0, 0.5, 1.0],
    }


def test_a_problem_that_was_not_run_has_no_rates():
    from lm_eval_rr.task import process_results

    metrics = process_results({}, [response([Verdict.NO_TOOLCHAIN, Verdict.NO_TOOLCHAIN])])
    assert set(metrics) == {"candidates", "NoToolchain"}


def test_aggregations():
    from lm_eval_rr.task import mean_count, mean_recovered_gap, total

    assert math.isclose(mean_recovered_gap([[1, 0.5, 1], [0, 0.1, 1]]), 0.2 / 0.7)
    assert math.isnan(mean_recovered_gap([[1, 1, 1]]))
    assert mean_count([[1, 2], [1]]) == 1.5
    assert total([1, 1]) == 2


def test_a_response_survives_the_request_cache():
    answer = response([Verdict.OK, Verdict.OK])
    again = pickle.loads(pickle.dumps(answer))
    assert (again, again.pool, again.rule) == (answer, answer.pool, answer.rule)


def test_texts_of_any_model_are_cut_at_the_stop_tokens():
    from lm_eval_rr.docs import to_doc
    from lm_eval_rr.task import _as_response

    doc = to_doc(Problem("p", "py", "def f():\n", "f()", ("\ndef", "\n#")), "t")
    pool = _as_response(doc, ["    return 1\n# more\ndef g", "    pass"]).pool
    assert [c.completion for c in pool.candidates] == ["    return 1", "    pass"]
