"""Verdicts and scores to numbers; pure functions, no model, no disk."""

from rr_harness.metrics.estimators import best_of_k, pass_at_k, recovered_gap
from rr_harness.metrics.summary import RuleSummary, Summary, summarise

__all__ = ["RuleSummary", "Summary", "best_of_k", "pass_at_k", "recovered_gap", "summarise"]
