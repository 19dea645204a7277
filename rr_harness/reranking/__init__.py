"""From a pool to its scores. Nothing heavy is imported here."""

from rr_harness.reranking.loading import open_reranker
from rr_harness.reranking.stage import Reranker, score_pools

__all__ = ["Reranker", "open_reranker", "score_pools"]
