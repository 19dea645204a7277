"""The functions behind our task files: load the problems, execute the pools, report every rule.

All candidates of a task are executed in the filter, together and in parallel; ``process_results``
then reads one executed pool per document and returns every metric, from one generation pass.
"""

from __future__ import annotations

import difflib
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset
from tqdm import tqdm

from lm_eval_rr import sidecar
from lm_eval_rr.arguments import fail_cleanly, load_reranker, resolve_rule
from lm_eval_rr.docs import to_doc, to_problem
from lm_eval_rr.response import Response
from rr_harness.errors import BadInput
from rr_harness.execution import Engine, toolchain_versions
from rr_harness.execution.stage import attach_verdicts, execute_pools, program_of
from rr_harness.generation.replay import ReplayGenerator
from rr_harness.metrics import best_of_k, recovered_gap
from rr_harness.records import Candidate, Pool, Problem, candidate_to_json, origin_of
from rr_harness.selection import find_rule
from rr_harness.suites import load_suite

logger = logging.getLogger(__name__)

# lm_eval hands model arguments and --metadata to the data function alone, the same to all tasks.
_metadata: dict[str, Any] = {}
_KEYS = ("reranker", "select", "data_dir")


def task_name(suite: str, variant: str = "") -> str:
    """Return the task of a suite: ``multiple-py`` to ``multiple_py_bon``."""
    return "_".join([*suite.split("-"), "bon", *([variant] if variant else [])])


@fail_cleanly
def load_problems(suite: str, variant: str = "", **metadata: Any) -> dict[str, Dataset]:
    """Return the documents of a suite (lm_eval's ``custom_dataset``).

    Args:
        suite: suite name, from the task file.
        variant: ``repeats`` for the tasks that serve other models.
        **metadata: model arguments and ``--metadata``. With ``backend=replay`` the problems are
            those of the stored pool in the suite's language; ``data_dir`` is searched before the
            hub.
    """
    _metadata.clear()
    _metadata.update(metadata)
    if variant == "repeats":
        _check_metadata()
    if metadata.get("backend") == "replay" and "generator" in metadata:
        problems = _replayed(str(metadata["generator"]), suite)
    else:
        problems = load_suite(suite, metadata.get("data_dir"))
    task = task_name(suite, variant)
    sidecar.forget(task)
    return {"test": Dataset.from_list([to_doc(problem, task) for problem in problems])}


def _replayed(pool: str, suite: str) -> list[Problem]:
    """Return the stored problems that are of a suite: its language, and its benchmark if known."""
    language = suite.rpartition("-")[2] if suite.startswith("multiple-") else "py"
    benchmark = "mbpp" if "mbpp" in suite else "HumanEval"
    problems = [
        problem
        for problem in ReplayGenerator(pool).problems(language)
        if (problem.origin or origin_of(problem.name) or benchmark).startswith(benchmark)
    ]
    if not problems:
        raise BadInput(f"{pool}: has no {benchmark} problems in {language!r}, as {suite} needs")
    return problems


def _check_metadata() -> None:
    """Fail before the answers are drawn, not after."""
    for name in _metadata:
        if name not in _KEYS and (near := difflib.get_close_matches(name, _KEYS, n=1, cutoff=0.8)):
            logger.warning("--metadata %r is not known here; did you mean %r?", name, near[0])
    if reranker := _metadata.get("reranker"):
        load_reranker(str(reranker), _metadata)


@fail_cleanly
def execute(resps: Sequence[Sequence[str]], docs: Sequence[Mapping[str, Any]]) -> list[Response]:
    """Execute all candidates of a task (a custom filter of lm_eval).

    Args:
        resps: for each document one ``Response``, or one text of any other model.
        docs: the documents.

    Returns:
        For each document the response with its pool executed.
    """
    responses = [_as_response(doc, texts) for doc, texts in zip(docs, resps, strict=True)]
    return _executed(responses, docs)


@fail_cleanly
def execute_repeats(
    resps: Sequence[Sequence[str]], docs: Sequence[Mapping[str, Any]]
) -> list[Response]:
    """Execute the n texts that any other model gave, scored by the reranker of ``--metadata``."""
    responses = [_as_response(doc, texts) for doc, texts in zip(docs, resps, strict=True)]
    if all(isinstance(text, Response) for texts in resps for text in texts):
        return _executed(responses, docs)  # rewardranker itself: scored already
    pools = [response.pool for response in responses]
    _warn_of_chat(pools)
    scorer = None
    if name := _metadata.get("reranker"):
        reranker = load_reranker(str(name), _metadata)
        pools, scorer = reranker.score_pools(pools), reranker.name
    rule = resolve_rule(_metadata.get("select"), pools, scorer)
    return _executed(
        [Response(r, pool, rule) for r, pool in zip(responses, pools, strict=True)], docs
    )


def _warn_of_chat(pools: Sequence[Pool]) -> None:
    texts = [candidate.completion for pool in pools for candidate in pool.candidates]
    fenced = sum("```" in text for text in texts)
    if fenced > len(texts) / 2:
        logger.warning(
            "%d of %d answers look like chat: these tasks want completions; for instruct models "
            "use --model rewardranker --apply_chat_template",
            fenced,
            len(texts),
        )


def _as_response(doc: Mapping[str, Any], texts: Sequence[str]) -> Response:
    for text in texts:
        if isinstance(text, Response):
            return text
    problem = to_problem(doc)
    if problem is None:
        raise TypeError("a document of another task")
    cut = [_cut(text, problem.stop_tokens) for text in texts]
    return Response(cut[0], Pool(problem, tuple(map(Candidate, cut))), "first")


def _cut(text: str, stop_tokens: Sequence[str]) -> str:
    """Cut at the first stop token: not every model of lm_eval honours ``until`` exactly."""
    ends = [text.find(stop) for stop in stop_tokens]
    return text[: min((end for end in ends if end >= 0), default=len(text))]


def _executed(responses: list[Response], docs: Sequence[Mapping[str, Any]]) -> list[Response]:
    pools = [response.pool for response in responses]
    programs = len({program_of(p.problem, c).key for p in pools for c in p.candidates})
    with Engine() as engine, tqdm(total=programs, desc="Executing programs", mininterval=1) as bar:
        verdicts = execute_pools(pools, engine, on_outcome=lambda *_: bar.update())
    sidecar.toolchains.update(toolchain_versions(pool.problem.language for pool in pools))
    executed = list(attach_verdicts(pools, verdicts))
    sidecar.keep(str(docs[0]["task"]), executed)
    return [Response(r, pool, r.rule) for r, pool in zip(responses, executed, strict=True)]


def process_results(doc: Mapping[str, Any], results: Sequence[Response]) -> dict[str, Any]:
    """Return the metrics of one executed pool.

    A problem that was not run has no rates: they are left out, never zero, and the reason
    (``NoToolchain``, ``InfrastructureError``) is counted instead.
    """
    response = results[0]
    pool = response.pool
    payload = {"candidates": [candidate_to_json(candidate) for candidate in pool.candidates]}
    missing = [str(c.verdict) for c in pool.candidates if c.passed is None]
    if missing:
        return {**payload, missing[0]: 1}
    passed = [candidate.passed is True for candidate in pool.candidates]
    chosen = _best_of_n(response.rule, pool, passed)
    single, top = sum(passed) / len(passed), float(any(passed))
    rates = {
        "best_of_n": chosen,
        "pass@1": single,
        "best_of_n_logprob": _best_of_n("logprob", pool, passed),
        "best_of_n_majority": _best_of_n("majority", pool, passed),
        "oracle": top,
        "recovered_gap": None if chosen is None else [chosen, single, top],
    }
    return {**payload, **{name: rate for name, rate in rates.items() if rate is not None}}


def _best_of_n(rule: str, pool: Pool, passed: Sequence[bool]) -> float | None:
    scores = find_rule(rule, list(pool.candidates[0].scores))(pool)
    return None if scores is None else best_of_k(scores, passed, len(passed))


def mean_recovered_gap(items: Sequence[Sequence[float]]) -> float:
    """Aggregate (best-of-n, pass@1, oracle) of all problems: the gap of the means."""
    chosen, single, top = (math.fsum(column) / len(items) for column in zip(*items, strict=True))
    gap = recovered_gap(chosen, single, top)
    return math.nan if gap is None else gap


def mean_count(items: Sequence[Sequence[Any]]) -> float:
    """Aggregate the payload: the mean number of candidates, so that the table shows n."""
    return sum(map(len, items)) / len(items)


def total(items: Sequence[int]) -> int:
    """Aggregate the problems that were not run: their number."""
    return sum(items)
