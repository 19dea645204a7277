"""Model arguments and metadata: checked before anything is loaded, errors in one line."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from rr_harness.errors import BadInput, RRHarnessError, unknown_name
from rr_harness.records import Pool
from rr_harness.reranking import Reranker, open_reranker
from rr_harness.selection import find_rule

P = ParamSpec("P")
R = TypeVar("R")


def fail_cleanly(function: Callable[P, R]) -> Callable[P, R]:
    """Turn our errors into one line and an exit code: lm_eval would show a traceback."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except RRHarnessError as error:
            print(f"Error: {error}", file=sys.stderr)
            raise SystemExit(error.exit_code) from error

    return wrapped


def check_arguments(arguments: Mapping[str, Any], known: Iterable[str]) -> None:
    """Check what came from a command line, where ``n=ten`` is a string.

    Raises:
        BadInput: an unknown name (with the nearest known one), a wrong type, no generator.
    """
    names = set(known)
    for name in arguments:
        if name not in names:
            raise unknown_name("model argument", name, names)
    if not arguments.get("generator"):
        raise BadInput(
            "model argument 'generator' is missing: a model, or a pool with backend=replay"
        )
    kinds: dict[str, tuple[type, ...]] = {
        **dict.fromkeys(("n", "max_new_tokens", "seed", "batch_size"), (int,)),
        **dict.fromkeys(("temperature", "top_p"), (int, float)),
    }
    for name, value in arguments.items():
        if name not in kinds and value is not None and not isinstance(value, str):
            raise BadInput(f"model argument {name}={value!r}: expected text")
        if name in kinds and (isinstance(value, bool) or not isinstance(value, kinds[name])):
            wanted = "a whole number" if kinds[name] == (int,) else "a number"
            raise BadInput(f"model argument {name}={value!r}: expected {wanted}")
        if name == "batch_size" and value < 1:
            raise BadInput(f"model argument batch_size={value}: expected at least 1")


def run_name(arguments: Mapping[str, Any]) -> str:
    """Return ``<generator>+<reranker>-n10`` for lm_eval's output folder."""
    parts = [arguments["generator"], arguments.get("reranker")]
    stems = [Path(str(part)).name.split(".jsonl")[0] for part in parts if part]
    n = arguments.get("n", None if arguments.get("backend") == "replay" else 10)
    return "+".join(stems) + (f"-n{n}" if n is not None else "")


def usable_device(device: object) -> str | None:
    """Return the device, or None (choose one) for lm_eval's default ``cuda:0`` without CUDA."""
    if device is None:
        return None
    import torch

    if str(device).startswith("cuda") and not torch.cuda.is_available():
        return None
    return str(device)


def load_reranker(name: str, settings: Mapping[str, Any]) -> Reranker:
    """Open a reranker with the device, dtype and batch size of model arguments or metadata."""
    batch_size = settings.get("batch_size")
    return open_reranker(
        name,
        device=usable_device(settings.get("device")),
        dtype=str(settings.get("dtype") or "auto"),
        batch_size=batch_size if isinstance(batch_size, int) and batch_size > 0 else 16,
    )


def check_rule(select: str, scorers: Sequence[str]) -> None:
    """Refuse a rule that nobody knows or that cannot submit."""
    if select == "oracle":
        raise BadInput("select='oracle': the oracle sees the verdicts and cannot submit")
    find_rule(select, scorers)


def resolve_rule(select: str | None, pools: Sequence[Pool], scorer: str | None) -> str:
    """Return the rule to submit by: the one asked for, else the best one the pools allow.

    That is the reranker if there are scores, else the mean log-probability, else the majority.

    Args:
        select: the rule asked for, if any.
        pools: scored pools.
        scorer: name of the reranker's scores, if there is a reranker.

    Raises:
        BadInput: the rule asked for is unknown, cheats, or does not apply to these pools.
    """
    if scorer is not None and select in (None, "reranker"):
        return scorer
    scorers = sorted({name for pool in pools for c in pool.candidates for name in c.scores})
    if select is not None:
        check_rule(select, scorers)
        rule = find_rule(select, scorers)
        if missing := [pool.problem.name for pool in pools if rule(pool) is None]:
            raise BadInput(
                f"select={select!r}: problem {missing[0]!r} has nothing to select by; "
                "give a reranker, or choose another rule"
            )
        return select
    for name in ("reranker", "logprob"):
        if name == "reranker" and len(scorers) != 1:
            continue
        if all(find_rule(name)(pool) is not None for pool in pools):
            return name
    return "majority"
