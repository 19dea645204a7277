"""The execution stage: pools in, pools with verdicts out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from rr_harness.execution.engine import Engine, Outcome, Program
from rr_harness.records import Candidate, Pool, Problem, Verdict, program_text

OnOutcome = Callable[[Program, Outcome], None]


def program_of(problem: Problem, candidate: Candidate) -> Program:
    """Return the program that is run for a candidate."""
    return Program(problem.language, program_text(problem, candidate), problem.io_tests)


def execute_pools(
    pools: Iterable[Pool],
    engine: Engine,
    known: Mapping[str, Verdict] | None = None,
    on_outcome: OnOutcome | None = None,
) -> dict[str, Verdict]:
    """Run every distinct program of the pools that has no verdict yet.

    Verdicts found in the pools are not looked at: they are never trusted.

    Args:
        pools: read once, lazily.
        engine: runs the programs.
        known: verdicts of an earlier run, by ``Program.key``.
        on_outcome: called with each program and its outcome, in order of completion.

    Returns:
        A verdict for every program, by ``Program.key``.
    """
    verdicts = dict(known or {})
    for program, outcome in engine.run(_new_programs(pools, verdicts)):
        verdicts[program.key] = outcome.verdict
        if on_outcome is not None:
            on_outcome(program, outcome)
    return verdicts


def _new_programs(pools: Iterable[Pool], known: Mapping[str, Verdict]) -> Iterator[Program]:
    given = set(known)
    for pool in pools:
        for candidate in pool.candidates:
            program = program_of(pool.problem, candidate)
            if program.key not in given:
                given.add(program.key)
                yield program


def attach_verdicts(pools: Iterable[Pool], verdicts: Mapping[str, Verdict]) -> Iterator[Pool]:
    """Yield the pools with each candidate's verdict; what they said before is gone.

    Args:
        pools: the pools that were executed.
        verdicts: by ``Program.key``, as ``execute_pools`` returns them.
    """
    for pool in pools:
        yield pool.with_candidates(
            tuple(
                _judged(candidate, verdicts[program_of(pool.problem, candidate).key])
                for candidate in pool.candidates
            )
        )


def _judged(candidate: Candidate, verdict: Verdict) -> Candidate:
    # "detail" explains a verdict, so it goes with the one it explained.
    extra = {name: value for name, value in candidate.extra.items() if name != "detail"}
    return replace(candidate.with_verdict(verdict), extra=extra)
