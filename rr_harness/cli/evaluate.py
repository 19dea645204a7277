"""``rr-harness evaluate``: an executed pool to the table of rules."""

from __future__ import annotations

from pathlib import Path

import click

from rr_harness.cli.options import json_option, pool_argument


@click.command("evaluate", short_help="Print what every selection rule achieves.")
@pool_argument
@click.option(
    "--by",
    metavar="RULE,...",
    help="Rules to compare: selector or scorer names.  "
    "[default: every scorer in the pool, and the controls]",
)
@json_option
def command(pool: Path, by: str | None, json_file: Path | None) -> None:
    """Print the best-of-n of every selection rule on the executed POOL.

    Each rule picks one of the n candidates of a problem; best-of-n is the share of problems whose
    pick passes. Beside it: pass@1 (one candidate drawn at random), the oracle (any passes), and
    the share of the gap between the two that the rule recovers.

    \b
    rr-harness evaluate executed.jsonl --by reranker,logprob,majority --json result.json
    """
    from rr_harness.cli.options import write_json
    from rr_harness.errors import BadInput
    from rr_harness.metrics import summarise
    from rr_harness.pools import file_digest, how_made, read_pools
    from rr_harness.provenance import provenance
    from rr_harness.reporting.terminal import print_summary
    from rr_harness.selection import default_rules, find_rule

    if json_file is not None and json_file.exists() and json_file.samefile(pool):
        raise BadInput(f"--json {json_file}: is the pool itself; choose another file")
    scorers, executed = _survey(pool)
    if not executed:
        raise BadInput(f"{pool}: has no verdicts; run 'rr-harness execute' on it first")
    named = [name.strip() for name in (by or "").split(",") if name.strip()]
    names = named or default_rules(scorers)
    summary = summarise(read_pools(pool), {name: find_rule(name, scorers) for name in names})
    if json_file is None or str(json_file) != "-":
        print_summary(summary)
    if json_file is not None:
        made = {"pool": file_digest(pool), "pool_made_by": how_made(pool)}
        write_json(json_file, {**summary.to_json(), **made, "provenance": provenance()})


def _survey(pool: Path) -> tuple[list[str], bool]:
    """Return the scorers in a pool file, and whether it has verdicts."""
    from rr_harness.pools import read_pools

    scorers: set[str] = set()
    executed = False
    for item in read_pools(pool):
        for candidate in item.candidates:
            scorers.update(candidate.scores)
            executed = executed or candidate.passed is not None or candidate.verdict is not None
    return sorted(scorers), executed
