"""Problems as lm_eval documents, and back: Arrow rows cannot hold every field of a data set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rr_harness.records import Json, Problem, problem_from_json, problem_to_json

_COLUMNS = ("name", "language", "prompt", "tests")
MARK = "rr_problem"
STOCK = "(prompt)"  # the language of a request of somebody else's task


def to_doc(problem: Problem, task: str) -> Json:
    """Return the document of a problem: its main fields, and all of it as JSON text.

    Args:
        problem: the problem.
        task: the task it is evaluated in.
    """
    data = problem_to_json(problem)
    shown = {name: data.get(name, "") for name in _COLUMNS}
    rest = {name: value for name, value in data.items() if name not in _COLUMNS}
    return {**shown, "task": task, MARK: json.dumps(rest)}


def to_problem(doc: Mapping[str, Any]) -> Problem | None:
    """Return the problem of a document; None for a document of another task."""
    if MARK not in doc:
        return None
    return problem_from_json({name: doc[name] for name in _COLUMNS} | json.loads(doc[MARK]))


def stock_problem(doc_id: object, task: object, context: str, until: Iterable[str]) -> Problem:
    """Return a problem for a request of somebody else's task: a prompt and where to stop."""
    return Problem(
        name=f"{task}/{doc_id}",
        language=STOCK,
        prompt=context,
        stop_tokens=tuple(stop for stop in until if stop),
    )
