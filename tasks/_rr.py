"""The functions named in the task files; lm_eval 0.5 refuses ones that are defined here."""

from lm_eval_rr.task import (
    execute,
    execute_repeats,
    load_problems,
    mean_count,
    mean_recovered_gap,
    process_results,
    total,
)

__all__ = [
    "execute",
    "execute_repeats",
    "load_problems",
    "mean_count",
    "mean_recovered_gap",
    "process_results",
    "total",
]
