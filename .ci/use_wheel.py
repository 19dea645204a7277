"""Use the installed wheel as a user would: the host's own command, from another folder.

Called by ``.ci/wheel`` in each clean environment: ``use_wheel.py MODELS OUT``.
"""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

MODELS, OUT = Path(sys.argv[1]), Path(sys.argv[2])
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "problems"
TINY = f"generator={MODELS}/generator,reranker={MODELS}/reranker,n=3,max_new_tokens=16,seed=7"
REPLAY = "backend=replay,generator=humaneval_py_20x20"
LM_EVAL, LAUNCHER = ["lm_eval"], ["rr-harness", "lm-eval"]


def run(command: list[str], expect: int = 0, **environment: str) -> str:
    """Run a command, check its exit code, return what it printed."""
    print("$", *environment.items(), *command, flush=True)
    done = subprocess.run(
        command, env={**os.environ, **environment}, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode != expect:
        sys.exit(f"{done.stdout}\nexit code {done.returncode}, expected {expect}")
    return done.stdout


def evaluate(
    host: list[str],
    model: str,
    arguments: str,
    task: str,
    name: str,
    *more: str,
    **environment: str,
) -> dict:
    """Run a task and return its results; check that the pool lies beside them."""
    out = OUT / name
    printed = run(
        [*host, "--model", model, "--model_args", arguments, "--tasks", task, "--log_samples",
         "--output_path", str(out), "--confirm_run_unsafe_code", *more],
        **environment,
    )  # fmt: skip
    print(*(line for line in printed.splitlines() if line.startswith("|")), sep="\n", flush=True)
    (results,) = out.glob("*/results_*.json")
    (pool,) = out.glob(f"*/pool_{task}_*.jsonl")
    (samples,) = out.glob(f"*/samples_{task}_*.jsonl")
    logged = [json.loads(line) for line in samples.read_text().splitlines()]
    stored = [json.loads(line) for line in pool.read_text().splitlines()]
    assert [s["candidates"] for s in logged] == [p["candidates"] for p in stored]
    return json.loads(results.read_text())


def numbers(results: dict, task: str) -> dict[str, float]:
    """Return the metrics of a task without error bars."""
    return {
        name.removesuffix(",bon"): value
        for name, value in results["results"][task].items()
        if name.endswith(",bon") and "_stderr" not in name
    }


print(f"lm_eval {version('lm_eval')}, rr-harness {version('rr-harness')}")
replayed = evaluate(LM_EVAL, "rewardranker", REPLAY, "multiple_py_bon", "replay")
measured = numbers(replayed, "multiple_py_bon")
# 87 of the fixture's 400 candidates pass, at least one for each problem: see its own verdicts.
assert abs(measured["pass@1"] - 87 / 400) < 1e-9 and measured["oracle"] == 1.0, measured
assert measured["candidates"] == 20, measured
assert replayed["config"]["rr_harness"]["rr_harness"] == version("rr-harness")

limit = ("--limit", "3")
tiny = evaluate(LM_EVAL, "rewardranker", TINY, "mbpp_bon", "tiny", *limit)
off = evaluate(
    LAUNCHER, "rewardranker", TINY, "mbpp_bon", "launcher", *limit,
    RR_NO_AUTOREGISTER="1", RR_CACHE_DIR=str(OUT / "cache"),
)  # fmt: skip
assert numbers(tiny, "mbpp_bon") == numbers(off, "mbpp_bon")
run(
    [*LM_EVAL, "--model", "rewardranker", "--model_args", TINY, "--tasks", "mbpp_bon"],
    expect=1, RR_NO_AUTOREGISTER="1",
)  # fmt: skip

if DATA.is_dir():
    printed = run(
        [*LM_EVAL, "--model", "rewardranker", "--model_args", TINY, "--tasks",
         "multiple_bon_paper", "--limit", "1", "--confirm_run_unsafe_code"],
        RR_DATA_DIR=str(DATA),
    )  # fmt: skip
    print(*(line for line in printed.splitlines() if line.startswith("|")), sep="\n", flush=True)
    assert "|multiple_bon_paper" in printed
    assert all(f" - multiple_{name}_bon" in printed for name in ("cpp", "java", "php", "sh"))

reranker = json.dumps({"reranker": f"{MODELS}/reranker"})
stock = evaluate(
    LM_EVAL, "hf", f"pretrained={MODELS}/generator", "mbpp_bon_repeats", "stock", *limit,
    "--metadata", reranker, "--device", "cpu", "--gen_kwargs", "max_gen_toks=16",
)  # fmt: skip
assert numbers(stock, "mbpp_bon_repeats")["candidates"] == 10

listing = "import lm_eval.models, lm_eval.api.registry as r; print(*r.MODEL_REGISTRY.keys())"
models = run([sys.executable, "-c", listing]).split()
assert {"hf", "vllm", "local-completions", "rewardranker"} <= set(models), models

wrong = TINY.replace("reranker=", "rerankr=")
message = run(
    [*LM_EVAL, "--model", "rewardranker", "--model_args", wrong, "--tasks", "mbpp_bon",
     "--confirm_run_unsafe_code"], expect=2,
)  # fmt: skip
assert "unknown model argument 'rerankr'; did you mean 'reranker'?" in message, message
assert "Traceback" not in message, message
print(f"lm_eval {version('lm_eval')}: all as it should be")
