"""The records everything flows through: problem, candidate, pool, and their JSON form.

A pool is one problem with its candidates, their scores and verdicts: one line of a pool file.
Fields on disk have the names of the attributes here. Fields of a data set that this module does
not know are kept untouched in ``extra``, so reading and writing a pool loses nothing. A known field
that is null or empty means the same as an absent one; ``extra`` remembers that it was there.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from rr_harness.errors import BadInput

Json = dict[str, Any]


class Verdict(StrEnum):
    """Why a program passed or failed. The first four have MultiPL-E's meaning."""

    OK = "OK"
    EXCEPTION = "Exception"
    SYNTAX_ERROR = "SyntaxError"
    TIMEOUT = "Timeout"
    OUT_OF_MEMORY = "OutOfMemory"
    EARLY_EXIT = "EarlyExit"
    TAMPERED = "Tampered"
    NO_TOOLCHAIN = "NoToolchain"
    INFRASTRUCTURE_ERROR = "InfrastructureError"

    @property
    def passed(self) -> bool | None:
        """True, False, or None where the program was not run: not run is not failed."""
        if self in (Verdict.NO_TOOLCHAIN, Verdict.INFRASTRUCTURE_ERROR):
            return None
        return self is Verdict.OK


@dataclass(frozen=True, slots=True)
class IOTest:
    """One stdin-to-stdout test of a whole program; outputs are compared by tokens."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One benchmark row.

    Attributes:
        name: the data set's name, for example ``HumanEval_23_strlen``.
        language: the data set's spelling, for example ``py`` or ``go_test.go``.
        prompt: the text the completion is appended to.
        tests: the text appended to the program.
        stop_tokens: a completion ends before the first of these.
        origin: the public problem behind it, for example ``HumanEval/23``; None if unknown.
        prelude: text put before programs of form ``program``.
        io_tests: instead of ``tests`` for whole programs.
        generated_tests: tests written by a model, for consensus rules.
        extra: every other field of the data set.
    """

    name: str
    language: str
    prompt: str
    tests: str = ""
    stop_tokens: tuple[str, ...] = ()
    origin: str | None = None
    prelude: str = ""
    io_tests: tuple[IOTest, ...] = ()
    generated_tests: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """What tells problems of one file apart: one problem occurs in many languages."""
        return self.language, self.name

    @property
    def cluster(self) -> str:
        """The public problem behind this one; translations of one problem share it."""
        return self.origin or origin_of(self.name) or self.name


@dataclass(frozen=True, slots=True)
class Candidate:
    """One program proposed for a problem.

    Attributes:
        completion: generated text, cut at the problem's stop tokens.
        form: ``completion`` (append to the prompt) or ``program`` (stands alone).
        logprob: mean log-probability per token (natural log), or None.
        n_tokens: number of tokens behind ``logprob``, or None.
        scores: scorer name to score; higher is better.
        verdict: result of execution, or None before it.
        passed: whether the tests passed; None if not run.
        extra: every other field.
    """

    completion: str
    form: str = "completion"
    logprob: float | None = None
    n_tokens: int | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    verdict: Verdict | None = None
    passed: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def with_verdict(self, verdict: Verdict | None) -> Candidate:
        """Return a copy that has this verdict, and ``passed`` to match."""
        return replace(self, verdict=verdict, passed=verdict.passed if verdict else None)

    def with_score(self, scorer: str, score: float) -> Candidate:
        """Return a copy that has this score beside the others."""
        return replace(self, scores={**self.scores, scorer: score})


@dataclass(frozen=True, slots=True)
class Pool:
    """A problem with its candidates: one line of a pool file.

    Attributes:
        problem: the problem.
        candidates: in the order they were drawn.
        generator: how they were drawn: model, backend, temperature, seed, ...; may be empty.
    """

    problem: Problem
    candidates: tuple[Candidate, ...]
    generator: Mapping[str, Any] = field(default_factory=dict)

    def with_candidates(self, candidates: tuple[Candidate, ...]) -> Pool:
        """Return a copy with other candidates."""
        return replace(self, candidates=candidates)


def program_text(problem: Problem, candidate: Candidate) -> str:
    """Assemble the program that is executed: MultiPL-E's join, newline before the tests."""
    head = problem.prelude if candidate.form == "program" else problem.prompt
    return head + candidate.completion + "\n" + problem.tests


_ORIGINS = (
    (re.compile(r"HumanEval[_/](\d+)(?!\d)"), "HumanEval"),
    (re.compile(r"[Mm]bpp[_/](\d+)(?!\d)"), "mbpp"),
    # MBXP: MBPP/11 in Python, MBJSP/11 in JavaScript, ... all number MBPP's problems.
    (re.compile(r"MB[A-Z]*P/(\d+)(?!\d)"), "mbpp"),
    # HumanEvalPack.
    (re.compile(r"(?:CPP|Go|Java|JavaScript|Python|Rust)/(\d+)(?!\d)"), "HumanEval"),
)


def origin_of(name: str) -> str | None:
    """Derive the public problem from a data set's name, in one spelling for all its copies.

    >>> origin_of("HumanEval_23_strlen"), origin_of("MBJSP/11"), origin_of("mine/1")
    ('HumanEval/23', 'mbpp/11', None)
    """
    for pattern, benchmark in _ORIGINS:
        if match := pattern.match(name):
            return f"{benchmark}/{match.group(1)}"
    return None


# --- JSON form -----------------------------------------------------------------------------

_PROBLEM_FIELDS = [
    "name", "language", "prompt", "tests", "stop_tokens", "origin", "prelude", "io_tests",
    "generated_tests",
]  # fmt: skip
_CANDIDATE_FIELDS = [
    "completion", "form", "logprob", "n_tokens", "scores", "verdict", "passed",
]  # fmt: skip
FORMS = ("completion", "program")


def _is_number(value: object) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def _is_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_io_tests(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict)
        and set(item) == {"input", "output"}
        and all(isinstance(text, str) for text in item.values())
        for item in value
    )


_TEXT = (lambda value: isinstance(value, str), "a string")
_TEXTS = (_is_strings, "a list of strings")
_EXPECTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (lambda value: isinstance(value, str) and bool(value), "a non-empty string"),
    "language": (lambda value: isinstance(value, str) and bool(value), "a non-empty string"),
    "prompt": _TEXT,
    "tests": _TEXT,
    "stop_tokens": (
        lambda value: _is_strings(value) and all(value),
        "a list of non-empty strings",
    ),
    "origin": _TEXT,
    "prelude": _TEXT,
    "io_tests": (_is_io_tests, "a list of objects with the strings input and output"),
    "generated_tests": _TEXTS,
    "generator": (lambda value: isinstance(value, dict), "an object"),
    "candidates": (lambda value: isinstance(value, list), "a list of candidates"),
    "completion": _TEXT,
    "form": (lambda value: value in FORMS, "'completion' or 'program'"),
    "logprob": (_is_number, "a number"),
    "n_tokens": (
        lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
        "a whole number of at least 0",
    ),
    "scores": (
        lambda value: isinstance(value, dict) and all(map(_is_number, value.values())),
        "an object of finite numbers",
    ),
    "verdict": (
        lambda value: isinstance(value, str) and value in set(Verdict),
        "one of " + ", ".join(Verdict),
    ),
    "passed": (lambda value: isinstance(value, bool), "true, false or null"),
}


def _known(data: Mapping[str, Any], names: list[str], required: set[str], at: str) -> Json:
    """Return the known fields of ``data`` that are present and not null, checked."""
    found: Json = {}
    for name in names:
        value = data.get(name)
        check, expected = _EXPECTED[name]
        if value is None:
            if name in required:
                raise BadInput(f"field '{at}{name}' is missing: expected {expected}")
        elif not check(value):
            shown = repr(value)
            shown = shown if len(shown) <= 60 else shown[:57] + "..."
            raise BadInput(f"field '{at}{name}': expected {expected}, got {shown}")
        else:
            found[name] = value
    return found


_ALWAYS_WRITTEN = {"name", "language", "prompt", "tests", "completion"}
_OMITTED: tuple[object, ...] = (
    None,
    "",
    [],
    {},
    "completion",
)  # values that mean the same as an absent field


def _rest(data: Mapping[str, Any], known: list[str]) -> Json:
    """Return what the record has no attribute for, and known fields the writer would omit."""
    return {
        name: value
        for name, value in data.items()
        if name not in known or (name not in _ALWAYS_WRITTEN and value in _OMITTED)
    }


def problem_from_json(data: Mapping[str, Any]) -> Problem:
    """Read a problem from a data set's row or a pool's line.

    Raises:
        BadInput: a field is missing or of the wrong type; the message names it.
    """
    found = _known(data, _PROBLEM_FIELDS, {"name", "language", "prompt"}, "")
    if "tests" not in found and "io_tests" not in found:
        raise BadInput("field 'tests' is missing: expected a string (or 'io_tests')")
    for name in ("stop_tokens", "generated_tests"):
        found[name] = tuple(found.get(name, ()))
    found["io_tests"] = tuple(IOTest(**test) for test in found.get("io_tests", ()))
    extra = _rest(data, [*_PROBLEM_FIELDS, "generator"])
    extra.pop("candidates", None)
    return Problem(**found, extra=extra)


def _candidate_from_json(data: object, at: str) -> Candidate:
    if not isinstance(data, dict):
        raise BadInput(f"field '{at[:-1]}': expected an object, got {data!r:.60}")
    found = _known(data, _CANDIDATE_FIELDS, {"completion"}, at)
    extra = _rest(data, _CANDIDATE_FIELDS)
    if "verdict" in found:
        verdict = found["verdict"] = Verdict(found["verdict"])
        extra.pop("passed", None)  # null or absent beside a verdict: the verdict says it
        if found.setdefault("passed", verdict.passed) is not verdict.passed:
            raise BadInput(
                f"field '{at}passed': expected {json.dumps(verdict.passed)} beside verdict "
                f"{str(verdict)!r}, got {json.dumps(found['passed'])}"
            )
    return Candidate(**found, extra=extra)


def pool_from_json(data: object) -> Pool:
    """Read a pool from the parsed JSON of one line.

    Raises:
        BadInput: a field is missing or of the wrong type; the message names it.
    """
    if not isinstance(data, dict):
        raise BadInput(f"expected a JSON object, got {type(data).__name__}")
    problem = problem_from_json(data)
    found = _known(data, ["generator", "candidates"], {"candidates"}, "")
    candidates = tuple(
        _candidate_from_json(item, f"candidates[{index}].")
        for index, item in enumerate(found["candidates"])
    )
    return Pool(problem, candidates, found.get("generator", {}))


def _present(record: Problem | Candidate, names: list[str]) -> Json:
    values = ((name, getattr(record, name)) for name in names)
    return {name: value for name, value in values if value not in (None, "", (), {})}


def problem_to_json(problem: Problem) -> Json:
    """Return the JSON form of a problem."""
    data = _present(problem, _PROBLEM_FIELDS) | {"prompt": problem.prompt}
    for name in ("stop_tokens", "generated_tests"):
        if name in data:
            data[name] = list(data[name])
    if problem.io_tests:
        data["io_tests"] = [{"input": t.input, "output": t.output} for t in problem.io_tests]
    if problem.tests or not problem.io_tests:
        data["tests"] = problem.tests
    return data | {name: value for name, value in problem.extra.items() if name not in data}


def candidate_to_json(candidate: Candidate) -> Json:
    """Return the JSON form of a candidate."""
    data: Json = {"completion": candidate.completion} | _present(candidate, _CANDIDATE_FIELDS)
    if candidate.form == "completion":
        data.pop("form")
    if candidate.verdict is not None:
        data["verdict"] = str(candidate.verdict)
        data["passed"] = candidate.passed
    if candidate.scores:
        data["scores"] = dict(candidate.scores)
    return data | {name: value for name, value in candidate.extra.items() if name not in data}


def pool_to_json(pool: Pool) -> Json:
    """Return the JSON form of a pool."""
    data = problem_to_json(pool.problem)
    if pool.generator:
        data["generator"] = dict(pool.generator)
    return {**data, "candidates": [candidate_to_json(item) for item in pool.candidates]}
