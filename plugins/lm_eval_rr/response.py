"""What the model answers with: the chosen completion, carrying the pool it was chosen from."""

from __future__ import annotations

from typing import Any

from rr_harness.records import Pool


class Response(str):
    """A completion for lm_eval's eyes; our tasks read ``pool`` and ``rule``.

    Attributes:
        pool: all candidates of the problem, scored.
        rule: the selection rule that chose.
    """

    __slots__ = ("pool", "rule")
    pool: Pool
    rule: str

    def __new__(cls, text: str, pool: Pool, rule: str) -> Response:
        """Make a response that reads as ``text``."""
        response = super().__new__(cls, text)
        response.pool = pool
        response.rule = rule
        return response

    def __reduce__(self) -> tuple[Any, ...]:
        return Response, (str(self), self.pool, self.rule)
