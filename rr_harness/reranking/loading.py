"""From the name a user gives to a reranker."""

from __future__ import annotations

from rr_harness.registry import load, names
from rr_harness.reranking.stage import Reranker


def open_reranker(
    name: str, *, device: str | None = None, dtype: str = "auto", batch_size: int = 16
) -> Reranker:
    """Open a reranker.

    Args:
        name: a model folder or hub name; ``KIND:MODEL`` for a reranker that a package registers
            as KIND in the entry-point group ``rr_harness.rerankers``.
        device: None picks a GPU where there is one.
        dtype: of the weights.
        batch_size: texts scored at once.

    Raises:
        BadInput: no such model, or none that can score.
    """
    kind, colon, model = name.partition(":")
    if not (colon and kind in names("rerankers")):
        kind, model = "huggingface", name
    reranker: Reranker = load("rerankers", kind)(
        model, device=device, dtype=dtype, batch_size=batch_size
    )
    return reranker
