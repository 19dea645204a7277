"""Make lm_eval know the model and the tasks: called by the start-up hook and the launcher.

Each function needs the lm_eval module of the same name to be imported already: lm_eval fills its
model registry only while that is empty, so a name registered earlier would hide all built-ins.
"""

from __future__ import annotations

import functools
import inspect
import sys
from pathlib import Path
from typing import Any

MODEL_NAME = "rewardranker"
MODEL_TARGET = "lm_eval_rr.model:RewardRanker"
TASKS_FOLDER = Path(__file__).parent / "tasks"


def register_model() -> None:
    """Register ``rewardranker``, lazily: our class is imported when it is first used."""
    from lm_eval.api.registry import MODEL_REGISTRY

    if MODEL_NAME not in MODEL_REGISTRY:
        MODEL_REGISTRY.register(MODEL_NAME, target=MODEL_TARGET)


def register_tasks() -> None:
    """Make every default ``TaskManager`` scan our tasks folder too.

    Releases that discover task folders by entry point find ours themselves.
    """
    from lm_eval.tasks import TaskManager

    manager = sys.modules.get("lm_eval.tasks.manager")
    original = TaskManager.__init__
    if hasattr(manager, "discover_plugin_task_paths") or hasattr(original, "_rr_harness"):
        return
    signature = inspect.signature(original)

    @functools.wraps(original)
    def init(*args: Any, **kwargs: Any) -> None:
        bound = signature.bind(*args, **kwargs)
        if bound.arguments.get("include_defaults", True):
            given = bound.arguments.get("include_path")
            paths = list(given) if isinstance(given, (list, tuple)) else [given] if given else []
            # Ours first: of two tasks with one name the later path wins, so the user's do.
            if str(TASKS_FOLDER) not in map(str, paths):
                bound.arguments["include_path"] = [str(TASKS_FOLDER), *paths]
        original(*bound.args, **bound.kwargs)

    init._rr_harness = True  # type: ignore[attr-defined]
    TaskManager.__init__ = init
