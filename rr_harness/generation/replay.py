"""Candidates from a stored pool instead of a model: no GPU, no network, the same every time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from rr_harness.errors import BadInput
from rr_harness.generation.base import Sampling
from rr_harness.pools import file_digest, read_pools
from rr_harness.records import Candidate, Pool, Problem

_SUFFIX = ".jsonl.gz"


class ReplayGenerator:
    """Hands out stored candidates: completions, log-probabilities, scores and other fields.

    Verdicts are dropped: they are recomputed, never trusted. How the candidates were drawn stays
    as stored; of the sampling settings only n is heeded.
    """

    def __init__(self, path: str) -> None:
        """Read a pool file.

        Args:
            path: a pool file, or the bare name of a bundled one (``humaneval_py_20x20``).

        Raises:
            BadInput: no such file or bundled pool, or a bad line.
        """
        self._name = str(path)
        self._path = _find(self._name)
        self._pools = {pool.problem.key: pool for pool in read_pools(self._path)}

    def problems(self, language: str | None = None) -> list[Problem]:
        """Return the file's own problems, all or those of one language.

        Raises:
            BadInput: there is none in this language.
        """
        found = [
            pool.problem
            for pool in self._pools.values()
            if language in (None, pool.problem.language)
        ]
        if not found:
            known = ", ".join(sorted({key[0] for key in self._pools}))
            raise BadInput(f"{self._name}: no problem in language {language!r}; it has {known}")
        return found

    def describe(self) -> dict[str, Any]:
        """Return backend and file."""
        return {"backend": "replay", "model": self._name}

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file."""
        return f"sha256:{file_digest(self._path)}"

    def problems_per_call(self, sampling: Sampling) -> int:
        """Return a number at which each chunk is still instant."""
        return 256

    def generate(self, problems: Sequence[Problem], sampling: Sampling) -> list[Pool]:
        """Return the first n stored candidates of each problem; all if n is None.

        Raises:
            BadInput: a problem that is not stored, has another prompt there, or too few candidates.
        """
        return [self._replay(problem, sampling.n) for problem in problems]

    def _replay(self, problem: Problem, n: int | None) -> Pool:
        who = f"{self._name}: problem {problem.name!r} ({problem.language})"
        stored = self._pools.get(problem.key)
        if stored is None:
            raise BadInput(f"{who} is not stored; use the suite that the pool was drawn for")
        if stored.problem.prompt != problem.prompt:
            raise BadInput(
                f"{who} is stored with another prompt; use the suite that the pool was drawn for"
            )
        if n is not None and n > len(stored.candidates):
            raise BadInput(
                f"{who} has {len(stored.candidates)} stored candidates, {n} asked for; lower n"
            )
        return Pool(
            # Older pools say how they were drawn in fields of their own, beside the problem's.
            replace(problem, extra={**stored.problem.extra, **problem.extra}),
            tuple(_without_verdict(candidate) for candidate in stored.candidates[:n]),
            stored.generator,
        )


def _without_verdict(candidate: Candidate) -> Candidate:
    return candidate.with_verdict(None)


def _find(name: str) -> Path:
    path = Path(name).expanduser()
    if path.exists():
        return path
    folder = Path(str(files("rr_harness"))) / "data" / "fixtures"
    bundled = {item.name.removesuffix(_SUFFIX): item for item in folder.glob("*" + _SUFFIX)}
    if name in bundled:
        return bundled[name]
    raise BadInput(f"{name}: no such file; bundled pools: {', '.join(sorted(bundled)) or 'none'}")
