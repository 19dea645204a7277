"""``rr-harness execute``: a pool to a pool with verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rr_harness.cli.options import output_option, pool_argument

if TYPE_CHECKING:
    from rr_harness.cli.progress import Bar
    from rr_harness.execution import Outcome, Program
    from rr_harness.pools import Journal

_SYNC_EVERY = 200  # verdicts; a power cut loses at most these, a killed process none


@click.command("execute", short_help="Run the candidates of a pool in the sandbox.")
@pool_argument
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Programs run at a time.  [default: the number of CPUs]",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Wall time a program may take.  [default: by language, as MultiPL-E's evaluator]",
)
@output_option
def command(pool: Path, workers: int | None, timeout: float | None, output: Path) -> None:
    """Run every candidate of POOL against its tests, each in a sandbox of its own.

    Verdicts found in POOL are not trusted but made anew. Identical programs run once. Killed
    half-way, the same command goes on where it stopped.

    \b
    rr-harness execute pool.jsonl --output executed.jsonl
    """
    from rr_harness.cli.progress import progress
    from rr_harness.execution import Engine, Limits, toolchain_versions
    from rr_harness.execution.stage import attach_verdicts, execute_pools, program_of
    from rr_harness.pools import Journal, file_digest, read_pools
    from rr_harness.provenance import provenance
    from rr_harness.records import Verdict

    programs = {program_of(p.problem, c).key for p in read_pools(pool) for c in p.candidates}
    toolchains = toolchain_versions(item.problem.language for item in read_pools(pool))
    config = {
        "stage": "execute",
        "input": file_digest(pool),
        "timeout": timeout,
        "toolchains": toolchains,
    }
    with Journal(output, config) as journal:
        if journal.complete:
            click.echo(f"{output}: complete already, nothing to do", err=True)
            return
        known = {entry["program"]: Verdict(entry["verdict"]) for entry in journal.entries}
        with (
            Engine(workers, Limits(seconds=timeout)) as engine,
            progress("Executing", len(programs), "programs") as bar,
        ):
            bar.advance(len(known))
            verdicts = execute_pools(read_pools(pool), engine, known, _keep(journal, bar))
        executed = attach_verdicts(read_pools(pool), verdicts)
        journal.finish(executed, provenance())
    counts = Counter(map(str, verdicts.values()))
    shown = ", ".join(f"{name} {count}" for name, count in counts.most_common())
    click.echo(f"{output}: {len(verdicts)} distinct programs: {shown}", err=True)


def _keep(journal: Journal, bar: Bar) -> Callable[[Program, Outcome], None]:
    """Return what is done with each outcome: into the journal, unless it must be tried again."""
    passed = failed = 0

    def keep(program: Program, outcome: Outcome) -> None:
        nonlocal passed, failed
        if outcome.passed is not None:
            journal.append({"program": program.key, "verdict": str(outcome.verdict)})
            passed += outcome.passed
            failed += not outcome.passed
            if (passed + failed) % _SYNC_EVERY == 0:
                journal.sync()
        bar.advance(note=f"{passed} passed, {failed} failed")

    return keep
