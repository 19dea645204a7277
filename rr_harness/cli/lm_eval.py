"""``rr-harness lm-eval``: the host with the plugin loaded, whatever the start-up hook does."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import click


@click.command(
    "lm-eval",
    short_help="Run lm_eval with our model and tasks.",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Run lm_eval with the model rewardranker and our tasks; ARGUMENTS go to lm_eval as they are.

    For environments where the start-up hook is off (RR_NO_AUTOREGISTER=1) or does not run
    (python -S, pip install --target, PYTHONPATH only).
    """
    from rr_harness.errors import MissingExtra

    if find_spec("lm_eval") is None:
        raise MissingExtra("rr-harness lm-eval", "lm-eval")
    import lm_eval.models
    import lm_eval.tasks  # noqa: F401
    from lm_eval.__main__ import cli_evaluate
    from lm_eval_rr.registration import register_model, register_tasks

    register_model()
    register_tasks()
    sys.argv = ["lm_eval", *arguments]
    cli_evaluate()
