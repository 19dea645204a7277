"""Entry point of ``rr-harness``: finds the command, turns errors into one line and an exit code."""

from __future__ import annotations

import logging
import sys
from importlib import import_module

import click

from rr_harness import __version__
from rr_harness.errors import RRHarnessError

# Name to help line: listing the commands imports none of them.
COMMANDS = {
    "generate": "Draw n candidates for every problem of a suite.",
    "score": "Score the candidates of a pool with a reranker.",
    "execute": "Run the candidates of a pool in the sandbox.",
    "evaluate": "Print what every selection rule achieves on an executed pool.",
    "doctor": "Show what works here: sandbox, toolchains, hosts, GPU, plugins.",
    "lm-eval": "Run lm_eval with our model and tasks, start-up hook or not.",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = import_module(f"rr_harness.cli.{name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rr-harness")
@click.option("-v", "--verbose", is_flag=True, help="Log what is done, to standard error.")
def cli(verbose: bool) -> None:
    """Pick the right program out of n.

    A pool file holds problems with their candidates; every stage reads one and writes one:

    \b
      rr-harness generate --suite multiple-py --generator MODEL --output pool.jsonl
      rr-harness score pool.jsonl --reranker MODEL --output scored.jsonl
      rr-harness execute scored.jsonl --output executed.jsonl
      rr-harness evaluate executed.jsonl

    Exit codes: 0 done, 1 failed, 2 bad usage or bad input, 3 gate not met.
    """
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
    )


def main() -> None:
    """Run the command line and exit."""
    try:
        code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped. Finished work is kept; the same command goes on from here.", err=True)
        sys.exit(130)
    except RRHarnessError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # rr-harness ... | head
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        click.echo(f"Error: {place}{error.strerror or error}", err=True)
        sys.exit(1)
