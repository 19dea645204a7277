"""What the start-up hook and the help text cost.

``python -m benchmarks.startup [PAIRS]``: paired process starts, hook on and off in random order;
the median difference with its 95 % bootstrap interval. Then the time of ``rr-harness --help``.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time

from benchmarks.machine import describe_machine

# lm_eval's own start is some ten seconds of task index, so the hook's part is timed in what it
# changes: the start of Python, and the import of the two modules it waits for.
STARTS = {
    "python": "pass",
    "import lm_eval.models, lm_eval.tasks": "import lm_eval.models, lm_eval.tasks",
}


def main(pairs: int) -> None:
    """Print the paired differences, then the help time."""
    print(describe_machine())
    for name, code in STARTS.items():
        times: dict[str, list[float]] = {"on": [], "off": []}
        for _ in range(pairs):
            for state in random.sample(("on", "off"), 2):
                times[state].append(timed([sys.executable, "-c", code], hook=state == "on"))
        differences = [on - off for on, off in zip(times["on"], times["off"], strict=True)]
        low, high = interval(differences)
        print(
            f"{name}: hook on {milliseconds(times['on'])}, off {milliseconds(times['off'])}, "
            f"paired difference {milliseconds(differences)} (95 %: {low:.1f} to {high:.1f} ms), "
            f"{pairs} pairs"
        )
    helps = [timed([sys.executable, "-m", "rr_harness", "--help"], hook=True) for _ in range(pairs)]
    print(f"rr-harness --help: {milliseconds(helps)}, slowest {max(helps) * 1000:.0f} ms")


def timed(command: list[str], hook: bool) -> float:
    """Return the wall seconds of one start."""
    environment = {**os.environ, "RR_NO_AUTOREGISTER": "" if hook else "1"}
    start = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def milliseconds(seconds: list[float]) -> str:
    """Return the median in words."""
    return f"{statistics.median(seconds) * 1000:.1f} ms"


def interval(differences: list[float], rounds: int = 5000) -> tuple[float, float]:
    """Return the bootstrap interval of the median, in milliseconds."""
    medians = sorted(
        statistics.median(random.choices(differences, k=len(differences))) for _ in range(rounds)
    )
    return medians[rounds // 40] * 1000, medians[-rounds // 40] * 1000


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
