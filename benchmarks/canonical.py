"""Do the published solutions pass, and the published bugs fail, in every language that runs here?

``python -m benchmarks.canonical [SUITE...]``: canonical solutions of MBXP and HumanEvalPack must
pass, HumanEvalPack's buggy ones must fail. Every exception is listed with the first line that
tells why.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from benchmarks.machine import describe_machine, shared_folder
from rr_harness.execution import Engine, Outcome, Program, find_language
from rr_harness.execution.stage import program_of
from rr_harness.records import Candidate, Problem, Verdict
from rr_harness.suites import load_suite, suites


def main(names: list[str]) -> None:
    """Run every suite that has solutions, in the languages with a toolchain here."""
    print(describe_machine())
    kinds = ("humanevalpack-", "mbxp-")
    for name in names or [name for name in suites() if name.startswith(kinds)]:
        problems = load_suite(name, shared_folder() / "data")
        language = find_language(problems[0].language)
        if language is None or language.toolchain() is None:
            print(f"{name}: no toolchain here, not run")
            continue
        for field, wanted in (("canonical_solution", True), ("buggy_solution", False)):
            check(name, problems, field, wanted)


def check(suite: str, problems: list[Problem], field: str, wanted: bool) -> None:
    """Run one field of a suite and print every program that does not end as it should."""
    programs = dict(_programs(problems, field))
    if not programs:
        return
    start = time.monotonic()
    wrong: list[tuple[str, Outcome]] = []
    with Engine() as engine:
        for program, outcome in engine.run(programs):
            if outcome.passed is not wanted:
                wrong += [(name, outcome) for name in programs[program]]
    total = sum(map(len, programs.values()))
    verb = "pass" if wanted else "fail"
    seconds = time.monotonic() - start
    print(f"{suite} {field}: {total - len(wrong)} of {total} {verb}, {seconds:.0f} s", flush=True)
    for name, outcome in sorted(wrong, key=lambda item: item[0]):
        print(f"  {name}: {outcome.verdict}: {_reason(outcome)}", flush=True)


def _programs(problems: list[Problem], field: str) -> Iterator[tuple[Program, list[str]]]:
    found: dict[Program, list[str]] = {}
    for problem in problems:
        if solution := problem.extra.get(field):
            program = program_of(problem, Candidate(str(solution)))
            found.setdefault(program, []).append(problem.name)
    yield from found.items()


def _reason(outcome: Outcome) -> str:
    """Return the line of the output that says most."""
    if outcome.verdict is Verdict.OK:
        return "passes"
    lines = [line.strip() for line in outcome.stderr.splitlines() if line.strip()]
    telling = [line for line in lines if "rror" in line or "xception" in line]
    return (telling or lines or ["no message"])[0][:160]


if __name__ == "__main__":
    main(sys.argv[1:])
