"""The main job with real models: stage by stage, and the same inside lm_eval."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from rr_harness.pools import read_pools
from rr_harness.records import pool_to_json
from rr_harness.suites import load_suite

pytest.importorskip("transformers")
tiny_models = pytest.importorskip("tests.models")

SETTINGS = ["-n", "4", "--max-new-tokens", "24", "--seed", "3", "--batch-size", "8"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A tiny generator and a tiny reranker, made from a configuration and saved."""
    folder = tmp_path_factory.mktemp("models")
    tiny_models.make_tiny_generator(folder / "generator")
    tiny_models.make_tiny_reranker(folder / "reranker")
    return folder


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "rr_harness", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def rr(*arguments):
    process = start(*arguments)
    _, said = process.communicate()
    assert process.returncode == 0, said
    return said


def generate(models, output, *more):
    base = ["generate", "--suite", "mbpp", "--limit", "12", "--generator", models / "generator"]
    return [*base, *SETTINGS, "--output", output, *more]


def test_stage_by_stage(models, tmp_path):
    pool, scored, executed = (tmp_path / f"{name}.jsonl" for name in ("pool", "scored", "executed"))
    rr(*generate(models, pool))
    rr("score", pool, "--reranker", models / "reranker", "--output", scored)
    rr("execute", scored, "--output", executed)
    rr("evaluate", executed, "--json", tmp_path / "result.json")
    pools = list(read_pools(executed))
    assert len(pools) == 12
    for item in pools:
        assert len(item.candidates) == 4
        for candidate in item.candidates:
            assert candidate.logprob < 0 and 1 <= candidate.n_tokens <= 24
            assert set(candidate.scores) == {"reranker"}
            assert candidate.passed is not None
            assert not any(stop in candidate.completion for stop in item.problem.stop_tokens)
    assert pools[0].generator["seed"] == 3
    result = json.loads((tmp_path / "result.json").read_text())
    assert set(result["rules"]) == {"reranker", "logprob", "majority", "first", "random", "oracle"}
    run = json.loads((tmp_path / "pool.jsonl.run.json").read_text())
    assert run["config"]["sampling"]["seed"] == 3 and run["packages"]["torch"]


def test_one_seed_one_pool_even_after_kill_9(models, tmp_path):
    whole, again, killed = (tmp_path / f"{name}.jsonl" for name in ("whole", "again", "killed"))
    rr(*generate(models, whole))
    rr(*generate(models, again))
    assert whole.read_bytes() == again.read_bytes()
    partial = tmp_path / "killed.jsonl.partial"
    process = start(*generate(models, killed))
    while process.poll() is None and count_lines(partial) < 3:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = count_lines(partial)
    assert not killed.exists() and kept >= 3
    before = partial.read_bytes()
    rr(*generate(models, killed))
    assert killed.read_bytes() == whole.read_bytes()
    # What was kept is in the result as it was: nothing of it was drawn again.
    whole_lines = before[: before.rindex(b"\n") + 1].splitlines()[1:]
    assert whole_lines == killed.read_bytes().splitlines()[: len(whole_lines)]


def count_lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_another_seed_gives_another_pool(models, tmp_path):
    rr(*generate(models, tmp_path / "a.jsonl"))
    base = generate(models, tmp_path / "b.jsonl")
    base[base.index("--seed") + 1] = "4"
    rr(*base)
    assert (tmp_path / "a.jsonl").read_bytes() != (tmp_path / "b.jsonl").read_bytes()


# --- inside lm_eval ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def host():
    """lm_eval with our tasks alone: its own index takes ten seconds and more to build."""
    pytest.importorskip("lm_eval")
    import lm_eval.models
    import lm_eval.tasks
    from lm_eval_rr.registration import TASKS_FOLDER, register_model

    register_model()

    def run(model, arguments, task, limit=4, metadata=None):
        manager = lm_eval.tasks.TaskManager(
            include_path=str(TASKS_FOLDER),
            include_defaults=False,
            metadata={**arguments, **(metadata or {})},
        )
        return lm_eval.simple_evaluate(
            model=model,
            model_args=dict(arguments),
            tasks=[task],
            task_manager=manager,
            limit=limit,
            gen_kwargs="max_gen_toks=24",
            device="cpu",
            confirm_run_unsafe_code=True,
            bootstrap_iters=0,
        )

    return run


def numbers(results, task):
    row = results["results"][task]
    return {k.removesuffix(",bon"): v for k, v in row.items() if k.endswith(",bon")}


@pytest.fixture
def arguments(models):
    return {
        "generator": str(models / "generator"),
        "reranker": str(models / "reranker"),
        "n": 4,
        "max_new_tokens": 24,
        "seed": 3,
        "batch_size": 8,
    }


@pytest.mark.host_lm_eval
def test_the_host_gives_the_candidates_of_the_command_line(host, models, arguments, tmp_path):
    results = host("rewardranker", arguments, "mbpp_bon", limit=12)
    rr(*generate(models, tmp_path / "pool.jsonl"))
    drawn = [
        [c.completion for c in pool.candidates] for pool in read_pools(tmp_path / "pool.jsonl")
    ]
    logged = [
        [c["completion"] for c in sample["candidates"]] for sample in results["samples"]["mbpp_bon"]
    ]
    assert logged == drawn
    chosen = [sample["filtered_resps"][0] for sample in results["samples"]["mbpp_bon"]]
    best = [
        max(sample["candidates"], key=lambda c: c["scores"]["reranker"])["completion"]
        for sample in results["samples"]["mbpp_bon"]
    ]
    assert [str(text) for text in chosen] == best
    info = results["config"]["rr_harness"]
    assert info["select"] == ["reranker"] and info["sampling"]["n"] == 4
    assert "py" in info["toolchains"]


@pytest.mark.host_lm_eval
def test_a_task_of_somebody_else_gets_the_chosen_text(host, arguments, tmp_path):
    (tmp_path / "data.jsonl").write_text('{"q": "def f():", "a": "x"}\n' * 2)
    stock = {
        "task": "stock",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(tmp_path / "data.jsonl")}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{q}}",
        "doc_to_target": "{{a}}",
        "generation_kwargs": {"until": ["\n"]},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    results = host("rewardranker", arguments, stock, limit=2)
    assert results["results"]["stock"]["exact_match,none"] == 0.0


@pytest.mark.host_lm_eval
def test_a_named_reranker_is_used_beside_stored_scores(host, models, fixture_pool, tmp_path):
    rows = [pool_to_json(pool) for pool in read_pools(fixture_pool)]
    for row in rows:
        for candidate in row["candidates"]:
            candidate["scores"] = {"yesterday": 1.0}
    (tmp_path / "pool.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    replay = {"backend": "replay", "generator": str(tmp_path / "pool.jsonl"), "n": 3}
    results = host(
        "rewardranker", {**replay, "reranker": str(models / "reranker")}, "multiple_py_bon", limit=2
    )
    assert results["config"]["rr_harness"]["select"] == ["reranker"]
    (sample, *_) = results["samples"]["multiple_py_bon"]
    best = max(sample["candidates"], key=lambda c: c["scores"]["reranker"])["completion"]
    assert sample["filtered_resps"] == [best]


@pytest.mark.host_lm_eval
def test_stored_humaneval_problems_are_not_reported_as_mbpp(host, fixture_pool, capsys):
    with pytest.raises(SystemExit):
        host("rewardranker", {"backend": "replay", "generator": str(fixture_pool)}, "mbpp_bon")
    assert "has no mbpp problems in 'py', as mbpp needs" in capsys.readouterr().err


@pytest.mark.host_lm_eval
def test_the_hosts_own_cache_is_refused(host, arguments, tmp_path, monkeypatch):
    import functools

    import lm_eval

    cached = functools.partial(lm_eval.simple_evaluate, use_cache=str(tmp_path / "cache"))
    monkeypatch.setattr(lm_eval, "simple_evaluate", cached)
    with pytest.raises(SystemExit, match="--use_cache gives stale answers"):
        host("rewardranker", arguments, "mbpp_bon", limit=1)


@pytest.mark.host_lm_eval
def test_candidates_drawn_once_are_used_again(host, arguments, monkeypatch):
    first = host("rewardranker", arguments, "mbpp_bon")
    from rr_harness.generation.huggingface import HuggingFaceGenerator

    def refuse(*_args):
        raise AssertionError("drawn again")

    monkeypatch.setattr(HuggingFaceGenerator, "generate", refuse)
    again = host("rewardranker", arguments, "mbpp_bon")
    assert numbers(first, "mbpp_bon") == numbers(again, "mbpp_bon")


@pytest.mark.host_lm_eval
def test_replayed_problems_are_the_pools_own(host, fixture_pool):
    replay = {"backend": "replay", "generator": str(fixture_pool), "n": 5}
    results = host("rewardranker", replay, "multiple_py_bon", limit=3)
    measured = numbers(results, "multiple_py_bon")
    assert measured["candidates"] == 5
    samples = results["samples"]["multiple_py_bon"]
    stored = [pool for pool, _ in zip(read_pools(fixture_pool), range(3), strict=False)]
    assert [s["doc"]["name"] for s in samples] == [p.problem.name for p in stored]
    assert [[c["passed"] for c in s["candidates"]] for s in samples] == [
        [c.passed for c in p.candidates[:5]] for p in stored
    ]


@pytest.mark.host_lm_eval
def test_any_other_model_gets_the_same_numbers(host, models):
    results = host(
        "hf",
        {"pretrained": str(models / "generator"), "dtype": "float32"},
        "mbpp_bon_repeats",
        limit=2,
        metadata={"reranker": str(models / "reranker")},
    )
    measured = numbers(results, "mbpp_bon_repeats")
    assert measured["candidates"] == 10 and "best_of_n_logprob" not in measured
    for sample in results["samples"]["mbpp_bon_repeats"]:
        assert all(set(c["scores"]) == {"reranker"} for c in sample["candidates"])


@pytest.mark.host_lm_eval
def test_stock_model_with_one_answer_runs_on_the_same_task(host, models):
    hf = {"pretrained": str(models / "generator"), "dtype": "float32"}
    measured = numbers(host("hf", hf, "mbpp_bon", limit=2), "mbpp_bon")
    assert measured["candidates"] == 1
    assert measured["best_of_n"] == measured["pass@1"] == measured["oracle"]


@pytest.mark.host_lm_eval
def test_a_language_without_a_driver_reports_no_toolchain_not_zero(
    host, arguments, tmp_path, monkeypatch
):
    problem = load_suite("mbpp")[0]
    row = {
        "name": "HumanEval_0_x", "language": "rkt", "prompt": problem.prompt,
        "tests": problem.tests, "stop_tokens": ["\n("],
    }  # fmt: skip
    folder = tmp_path / "multipl_e"
    folder.mkdir()
    (folder / "humaneval-rkt.jsonl").write_text(json.dumps(row) + "\n")
    monkeypatch.setattr("rr_harness.execution.engine.find_language", lambda name: None)
    metadata = {"data_dir": str(tmp_path)}
    results = host("rewardranker", arguments, "multiple_rkt_bon", metadata=metadata)
    measured = numbers(results, "multiple_rkt_bon")
    assert measured == {"candidates": 4, "NoToolchain": 1} | {
        k: v for k, v in measured.items() if "stderr" in k
    }


@pytest.mark.host_lm_eval
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rerankr": "x"}, "unknown model argument 'rerankr'; did you mean 'reranker'"),
        ({"generator": "/none"}, "no such folder"),
        ({"n": "ten"}, "model argument n='ten': expected a whole number"),
        ({"temperature": 0}, "greedy decoding has one candidate"),
        ({"backend": "vlm"}, "unknown generator 'vlm'"),
        ({"select": "best"}, "unknown rule 'best'"),
        ({"select": "oracle"}, "the oracle sees the verdicts"),
        ({"reranker": None, "select": "reranker"}, "no reranker is given"),
        ({"generator": 7}, "model argument generator=7: expected text"),
    ],
)
def test_mistakes_end_with_one_line_and_exit_code_2(host, arguments, change, message, capsys):
    with pytest.raises(SystemExit) as caught:
        host("rewardranker", {**arguments, **change}, "mbpp_bon", limit=1)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
