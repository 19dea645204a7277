"""Run a generator over a suite: fixed chunks, each finished pool kept, resumable."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rr_harness.errors import BadInput
from rr_harness.generation.base import Generator, Sampling
from rr_harness.pools import Journal
from rr_harness.records import Pool, Problem, pool_from_json, pool_to_json

Progress = Callable[[int, int], None]
"""Called with (problems finished, problems in all)."""


def generate_pools(
    generator: Generator,
    problems: Sequence[Problem],
    sampling: Sampling,
    journal: Journal | None = None,
    on_progress: Progress | None = None,
) -> list[Pool]:
    """Draw the candidates of every problem.

    Args:
        generator: what draws.
        problems: each (language, name) once.
        sampling: how to draw.
        journal: keeps each finished pool, and has those of earlier runs.
        on_progress: told after each chunk.

    Returns:
        The pools in the order of the problems.

    Raises:
        BadInput: a problem occurs twice.
    """

    def draw(start: int, stop: int) -> list[Pool]:
        return generator.generate(problems[start:stop], sampling)

    size = generator.problems_per_call(sampling)
    return in_chunks(problems, size, draw, journal, on_progress)


def in_chunks(
    problems: Sequence[Problem],
    size: int,
    compute: Callable[[int, int], list[Pool]],
    journal: Journal | None,
    on_progress: Progress | None,
) -> list[Pool]:
    """Compute a pool for each problem, chunk by chunk, skipping chunks that the journal has.

    Chunks have fixed borders: a resumed run has the batches of an unbroken one, and so the same
    rounding. A chunk that was half kept is computed again; what was kept stays as it is.

    Args:
        problems: each (language, name) once.
        size: problems in a chunk.
        compute: called with a range of indices, returns their pools in order.
        journal: where finished pools are kept, if anywhere.
        on_progress: told after each chunk.

    Raises:
        BadInput: a problem occurs twice.
    """
    _refuse_duplicates(problems)
    kept = [pool_from_json(entry) for entry in journal.entries] if journal else []
    done = {pool.problem.key: pool for pool in kept}
    for start in range(0, len(problems), size):
        stop = min(start + size, len(problems))
        if any(problem.key not in done for problem in problems[start:stop]):
            fresh = [p for p in compute(start, stop) if p.problem.key not in done]
            done.update((pool.problem.key, pool) for pool in fresh)
            if journal:
                for pool in fresh:
                    journal.append(pool_to_json(pool))
                journal.sync()
        if on_progress:
            on_progress(stop, len(problems))
    return [done[problem.key] for problem in problems]


def _refuse_duplicates(problems: Sequence[Problem]) -> None:
    seen: set[tuple[str, str]] = set()
    for problem in problems:
        if problem.key in seen:
            raise BadInput(
                f"problem {problem.name!r} ({problem.language}) is there twice; give each once"
            )
        seen.add(problem.key)
