"""``rr-harness score``: a pool to a pool with scores."""

from __future__ import annotations

from pathlib import Path

import click

from rr_harness.cli.options import (
    batch_size_option,
    device_option,
    dtype_option,
    output_option,
    pool_argument,
)


@click.command("score", short_help="Score the candidates of a pool with a reranker.")
@pool_argument
@click.option(
    "--reranker",
    required=True,
    metavar="MODEL",
    help="Folder or hub name of a sequence classifier with one label; NAME:MODEL for a plugin's.",
)
@click.option(
    "--name", metavar="NAME", help="Name of the scores.  [default: the last part of MODEL]"
)
@batch_size_option
@dtype_option
@device_option
@output_option
def command(
    pool: Path,
    reranker: str,
    name: str | None,
    batch_size: int,
    dtype: str,
    device: str | None,
    output: Path,
) -> None:
    """Score every candidate of POOL with a reranker; scores of other rerankers stay.

    \b
    rr-harness score pool.jsonl --reranker ./reranker --output scored.jsonl
    """
    from rr_harness.cli.progress import progress
    from rr_harness.errors import BadInput
    from rr_harness.pools import Journal, file_digest, read_pools
    from rr_harness.provenance import provenance
    from rr_harness.reranking import open_reranker
    from rr_harness.reranking.stage import score_pools

    pools = list(read_pools(pool))
    model = open_reranker(reranker, device=device, dtype=dtype, batch_size=batch_size)
    model.name = name or model.name
    if any(model.name in c.scores for item in pools for c in item.candidates):
        raise BadInput(f"{pool}: has scores named {model.name!r} already; give another --name")
    config = {
        "stage": "score",
        "input": file_digest(pool),
        "reranker": model.name,
        "weights": model.fingerprint(),
        "dtype": dtype,
    }
    with Journal(output, config) as journal:
        if journal.complete:
            click.echo(f"{output}: complete already, nothing to do", err=True)
            return
        with progress("Scoring", len(pools), "problems") as bar:
            scored = score_pools(model, pools, journal, on_progress=bar.reach)
        journal.finish(scored, provenance())
    click.echo(f"{output}: {len(scored)} problems scored by {model.name}", err=True)
