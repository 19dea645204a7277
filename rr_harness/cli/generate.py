"""``rr-harness generate``: a suite to a pool."""

from __future__ import annotations

from pathlib import Path

import click

from rr_harness.cli.options import batch_size_option, device_option, dtype_option, output_option


@click.command("generate", short_help="Draw n candidates for every problem of a suite.")
@click.option(
    "--suite",
    metavar="SUITE",
    help="multiple-py, multiple-mbpp-cpp, humaneval, mbpp, ... or a JSON Lines file. "
    "[default with --backend replay: the stored pool's own problems]",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    envvar="RR_DATA_DIR",
    show_envvar=True,
    help="Folder of data files, tried before the hub.",
)
@click.option(
    "--generator", required=True, metavar="MODEL", help="Model folder or hub name; replay: a pool."
)
@click.option(
    "--backend",
    default="huggingface",
    show_default=True,
    help="huggingface, replay, or a plugin's.",
)
@click.option(
    "-n", "--n", type=int, help="Candidates a problem.  [default: 10; replay: all stored]"
)
@click.option("--temperature", type=float, default=0.8, show_default=True, help="0 is greedy.")
@click.option("--top-p", type=float, default=0.95, show_default=True, help="Nucleus mass.")
@click.option(
    "--max-new-tokens", type=int, default=512, show_default=True, help="Bound on a completion."
)
@click.option("--seed", type=int, default=0, show_default=True, help="One seed, one pool.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first problems of the suite.")
@click.option("--chat", is_flag=True, help="Ask in the model's chat form and extract the code.")
@batch_size_option
@dtype_option
@device_option
@output_option
def command(
    suite: str | None,
    data_dir: Path | None,
    generator: str,
    backend: str,
    n: int | None,
    temperature: float,
    top_p: float,
    max_new_tokens: int,
    seed: int,
    limit: int | None,
    chat: bool,
    batch_size: int,
    dtype: str,
    device: str | None,
    output: Path,
) -> None:
    """Draw n candidates for every problem of a suite into a pool file.

    Killed half-way, the same command goes on where it stopped and gives the same bytes.

    \b
    rr-harness generate --suite multiple-py --generator deepseek-ai/deepseek-coder-1.3b-base \\
        -n 10 --output pool.jsonl
    """
    from rr_harness.cli.progress import progress
    from rr_harness.generation.base import Sampling
    from rr_harness.generation.stage import generate_pools
    from rr_harness.pools import Journal, problems_digest
    from rr_harness.provenance import provenance
    from rr_harness.registry import load
    from rr_harness.suites import load_suite

    replay = backend == "replay"
    sampling = Sampling(
        n=n if n is not None or replay else 10,
        temperature=temperature,
        top_p=top_p,
        max_new_tokens=max_new_tokens,
        seed=seed,
    )
    make = load("generators", backend)
    if replay and suite is None:
        source = make(generator)
        problems = source.problems(None)
    elif suite is None:
        raise click.UsageError("--suite is missing: which problems?")
    else:
        problems = load_suite(suite, data_dir)
        settings = {"device": device, "dtype": dtype, "batch_size": batch_size, "chat": chat}
        source = make(generator, **({} if replay else settings))
    problems = problems[:limit]
    config = {
        "stage": "generate",
        "generator": source.describe(),
        "weights": source.fingerprint(),
        "sampling": {"n": sampling.n, **sampling.facts()},
        "suite": suite,
        "problems": problems_digest(problems),
    }
    with Journal(output, config) as journal:
        if journal.complete:
            click.echo(f"{output}: complete already, nothing to do", err=True)
            return
        with progress("Drawing candidates", len(problems), "problems") as bar:
            pools = generate_pools(source, problems, sampling, journal, on_progress=bar.reach)
        journal.finish(pools, provenance())
    total = sum(len(pool.candidates) for pool in pools)
    click.echo(f"{output}: {len(pools)} problems, {total} candidates", err=True)
