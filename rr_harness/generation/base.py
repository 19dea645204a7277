"""What every generator offers, and the sampling settings it is asked for."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rr_harness.errors import BadInput
from rr_harness.records import Pool, Problem


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How candidates are drawn.

    Attributes:
        n: candidates of each problem; None means all that are stored (replay only).
        temperature: the logits are divided by it; 0 is greedy decoding, which needs n = 1.
        top_p: draw from the smallest set of tokens that has at least this probability.
        max_new_tokens: longest completion.
        seed: same seed, same candidates.
    """

    n: int | None = 10
    temperature: float = 0.8
    top_p: float = 0.95
    max_new_tokens: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n is not None and not (_is_whole(self.n) and self.n >= 1):
            raise BadInput(f"n is {self.n!r}; give a whole number of at least 1")
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise BadInput(f"temperature is {self.temperature!r}; give 0 (greedy) or more")
        if self.temperature == 0 and self.n not in (None, 1):
            raise BadInput(
                f"temperature is 0 and n is {self.n}: greedy decoding has one candidate; "
                "give n 1 or a temperature above 0"
            )
        if not 0 < self.top_p <= 1:
            raise BadInput(f"top_p is {self.top_p!r}; give a number above 0 and at most 1")
        if not (_is_whole(self.max_new_tokens) and self.max_new_tokens >= 1):
            raise BadInput(
                f"max_new_tokens is {self.max_new_tokens!r}; give a whole number of at least 1"
            )
        if not _is_whole(self.seed):
            raise BadInput(f"seed is {self.seed!r}; give a whole number")

    @property
    def drawn(self) -> int:
        """The number of candidates a model has to draw.

        Raises:
            BadInput: n is None, which only stored pools can answer.
        """
        if self.n is None:
            raise BadInput("n is missing: a model must be told how many candidates to draw")
        return self.n

    def facts(self) -> dict[str, Any]:
        """Return what a pool says of the sampling; n is the number of its candidates."""
        return {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_new_tokens": self.max_new_tokens,
            "seed": self.seed,
        }


class Generator(Protocol):
    """Anything that turns problems into pools of candidates."""

    def describe(self) -> dict[str, Any]:
        """Return model, backend and all that decides the candidates, for the pool's ``generator``.

        Settings that change only speed and memory stay out, so a run can be resumed with others.
        """
        ...

    def fingerprint(self) -> str:
        """Return the identity of the weights or file behind the name in ``describe``."""
        ...

    def problems_per_call(self, sampling: Sampling) -> int:
        """Return how many problems to hand over at once."""
        ...

    def generate(self, problems: Sequence[Problem], sampling: Sampling) -> list[Pool]:
        """Return one pool for each problem, in order."""
        ...


def uniforms(problem: Problem, index: int, sampling: Sampling) -> list[float]:
    """Return the random numbers of candidate ``index``, one in [0, 1) for each possible token.

    They depend on the seed, the problem and the index alone: not on n, nor on what else is drawn
    in the same batch. So candidate 3 of 4 is candidate 3 of 10.
    """
    identity = [sampling.seed, problem.language, problem.name, problem.prompt, index]
    digest = hashlib.sha256(json.dumps(identity).encode()).digest()
    draws = random.Random(digest)  # noqa: S311 - sampling, not a secret
    return [draws.random() for _ in range(sampling.max_new_tokens)]
