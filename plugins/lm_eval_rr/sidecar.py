"""The pool beside lm_eval's results: ``pool_<task>_<time>.jsonl`` in the same folder.

lm_eval tells nobody where it writes, so its ``EvaluationTracker`` is wrapped, once, when a pool is
there to be written. A failure here is reported and never spoils the host's own results.
"""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rr_harness.pools import write_atomically, write_pools
from rr_harness.provenance import provenance
from rr_harness.records import Pool

logger = logging.getLogger(__name__)

toolchains: dict[str, str] = {}
_pools: dict[str, list[Pool]] = {}


def forget(task: str) -> None:
    """Drop what an earlier run in this process left under a task's name."""
    _pools.pop(task, None)


def keep(task: str, pools: Sequence[Pool]) -> None:
    """Remember a task's executed pools until lm_eval writes its results."""
    while task in _pools:  # a task file of the user's that includes ours
        task += "_"
    _pools[task] = list(pools)
    _wrap_tracker()


def _wrap_tracker() -> None:
    from lm_eval.loggers.evaluation_tracker import EvaluationTracker

    original = EvaluationTracker.save_results_aggregated
    if hasattr(original, "_rr_harness"):
        return

    @functools.wraps(original)
    def save(self: Any, results: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        original(self, results, *args, **kwargs)
        if self.output_path:
            _write_all(self, results)
        _pools.clear()

    save._rr_harness = True  # type: ignore[attr-defined]
    EvaluationTracker.save_results_aggregated = save


def _write_all(tracker: Any, results: dict[str, Any]) -> None:
    how = {name: results.get(name) for name in ("config", "date", "lm_eval_version")}
    folder = Path(tracker.output_path)
    if folder.suffix == ".json":
        folder = folder.parent
    else:
        folder = folder / str(tracker.general_config_tracker.model_name_sanitized)
    for task, pools in _pools.items():
        path = folder / f"pool_{task}_{tracker.date_id}.jsonl"
        try:
            write_pools(path, pools)
            made = {**how, **provenance(), "toolchains": toolchains}
            text = json.dumps(made, indent=2, default=str)
            write_atomically(path.with_name(path.name + ".run.json"), [text + "\n"])
        except OSError as error:
            logger.error("the pool of %s could not be written: %s", task, error)
        else:
            logger.info("pool of %s: %s", task, path)
