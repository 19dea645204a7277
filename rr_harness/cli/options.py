"""Options that several commands share: one name and one meaning everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)

pool_argument = click.argument("pool", type=PATH)
output_option = click.option(
    "--output", type=PATH, required=True, metavar="POOL", help="Pool file to write."
)
json_option = click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Write the result as JSON; - for standard output.",
)
device_option = click.option(
    "--device", metavar="DEVICE", help="cpu, cuda:0, ...  [default: a GPU if there is one]"
)
dtype_option = click.option(
    "--dtype",
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    default="auto",
    show_default=True,
    help="Precision of the weights.",
)
batch_size_option = click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="Rows in one forward pass.",
)


def write_json(path: Path, data: Any) -> None:
    """Write a result as JSON to a file, whole or not at all, or to standard output (``-``)."""
    text = json.dumps(data, indent=2, allow_nan=False) + "\n"
    if str(path) == "-":
        click.echo(text, nl=False)
    else:
        from rr_harness.pools import write_atomically

        write_atomically(path, [text])
