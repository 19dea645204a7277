"""Do our verdicts agree with the published ones?

``python -m benchmarks.verdicts POOLS...`` strips the verdicts of each stored pool, runs it through
``rr-harness execute`` and compares candidate by candidate. Differences are listed one by one.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.machine import describe_machine, shared_folder
from rr_harness.metrics import summarise
from rr_harness.pools import read_pools, write_pools

POOLS = ("humaneval_py_codegen16b_n100", "humaneval_py_mixed_models", "mbpp_py_mixed_models")


def main(names: list[str]) -> None:
    """Compare each pool."""
    print(describe_machine())
    for name in names or POOLS:
        compare(shared_folder() / "data" / "samples" / f"{name}.jsonl.gz")


def compare(path: Path) -> None:
    """Execute a stored pool anew and print every difference to its own verdicts."""
    with tempfile.TemporaryDirectory() as folder:
        stripped, executed = Path(folder, "stripped.jsonl"), Path(folder, "executed.jsonl")
        write_pools(
            stripped,
            (
                pool.with_candidates(tuple(c.with_verdict(None) for c in pool.candidates))
                for pool in read_pools(path)
            ),
        )
        start = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "rr_harness", "execute", stripped, "--output", executed],
            check=True,
        )
        seconds = time.monotonic() - start
        summary = summarise(read_pools(executed), {})
        print(f"\n{path.name}: {seconds:.0f} s")
        print("  ".join(f"pass@{k} {value:.4f}" for k, value in summary.pass_at.items()))
        print_differences(path, executed)


def print_differences(stored: Path, executed: Path) -> None:
    """Print where two pools of the same candidates disagree."""
    kinds: Counter[tuple[str, str]] = Counter()
    same = 0
    for ours, theirs in zip(read_pools(executed), read_pools(stored), strict=True):
        pairs = zip(ours.candidates, theirs.candidates, strict=True)
        for index, (our, their) in enumerate(pairs):
            kinds[str(their.verdict), str(our.verdict)] += our.verdict != their.verdict
            same += our.passed == their.passed
            if our.passed != their.passed:
                print(f"  {ours.problem.name} #{index}: stored {their.verdict}, now {our.verdict}")
    print(f"pass or fail agrees for {same} candidates")
    for (then, now), count in sorted(kinds.items()):
        if count:
            print(f"  {count} times {then} is now {now}")


if __name__ == "__main__":
    main(sys.argv[1:])
