"""Many programs to their outcomes, a few at a time.

Threads are enough: a worker waits for the processes of its program and does nothing else.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from weakref import WeakSet

from rr_harness.errors import SandboxUnavailable
from rr_harness.execution.judge import Outcome, Program, judge
from rr_harness.execution.languages import find_language
from rr_harness.execution.probe import probe
from rr_harness.execution.sandbox import Limits, SandboxFailed
from rr_harness.execution.supervise import Leash
from rr_harness.records import Verdict

__all__ = ["Engine", "Limits", "Outcome", "Program"]

logger = logging.getLogger(__name__)

_AHEAD = 4  # programs taken and not yet given back, for each worker

# A signal just before the wait, or to another thread, does not end it: so it ends itself.
_CTRL_C_SECONDS = 0.5

_Run = Generator[tuple[Program, Outcome], None, None]


class Engine:
    """Runs programs in sandboxes; a context manager.

    Refuses to run anything unless the sandbox holds what it promises on this machine.

    Example:
        with Engine() as engine:
            for program, outcome in engine.run([Program("py", "assert 1 + 1 == 2")]):
                print(outcome.verdict)

    Not handled: outcomes are not kept from one run to the next; a killed process (SIGKILL) leaves
    no program behind, but the artefact folders of those in flight.
    """

    def __init__(self, workers: int | None = None, limits: Limits | None = None) -> None:
        """Set up an engine; nothing is started yet.

        Args:
            workers: programs run at a time; None for the number of CPUs this process may use.
            limits: what each program may use.
        """
        self._workers = workers or len(os.sched_getaffinity(0))
        self._limits = limits or Limits()
        self._checked = False
        self._runs: WeakSet[_Run] = WeakSet()

    def __enter__(self) -> Engine:
        self._check()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every run that is still going on, with its processes and folders."""
        for run in list(self._runs):
            run.close()

    def run(self, programs: Iterable[Program]) -> Iterator[tuple[Program, Outcome]]:
        """Run programs and give each back with its outcome, in order of completion.

        Programs are taken from the iterable as they are needed, by the caller's thread; while it
        makes the next one, finished outcomes wait. Equal programs are executed once; those that
        come after it has finished get its outcome without the output. Closing the iterator ends
        what is running.

        Raises:
            SandboxUnavailable: the sandbox does not hold; nothing was run.
        """
        run = self._run(programs)
        self._runs.add(run)
        return run

    def _run(self, programs: Iterable[Program]) -> _Run:
        self._check()
        source = iter(programs)
        finished: dict[str, Outcome] = {}
        waiting: dict[str, list[Program]] = {}  # taken and not yet given back, by key
        futures: set[Future[tuple[str, Outcome]]] = set()  # one for each key of waiting
        with Leash() as leash, self._pool(leash) as pool:
            more = True
            while more or waiting:
                while more and sum(map(len, waiting.values())) < _AHEAD * self._workers:
                    program = next(source, None)
                    if program is None:
                        more = False
                    elif (key := program.key) in finished:
                        yield program, finished[key]
                    elif key in waiting:
                        waiting[key].append(program)
                    else:
                        waiting[key] = [program]
                        futures.add(pool.submit(self._execute, key, program, leash))
                done, futures = wait(futures, _CTRL_C_SECONDS, return_when=FIRST_COMPLETED)
                for future in done:
                    key, outcome = future.result()
                    # Kept for later equal programs, but small: a run may have millions.
                    finished[key] = replace(outcome, stdout="", stderr="")
                    for program in waiting.pop(key):
                        yield program, outcome

    @contextmanager
    def _pool(self, leash: Leash) -> Iterator[ThreadPoolExecutor]:
        """Give the workers of a run; whatever they do at the end of it, they stop at once."""
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="rr-execution")
        try:
            yield pool
        finally:
            leash.pull()
            pool.shutdown(cancel_futures=True)

    def _execute(self, key: str, program: Program, leash: Leash) -> tuple[str, Outcome]:
        return key, self._outcome(program, leash)

    def _outcome(self, program: Program, leash: Leash) -> Outcome:
        language = find_language(program.language)
        if language is None:
            missing = f"no driver for language {program.language!r}"
            return Outcome(Verdict.NO_TOOLCHAIN, stderr=missing)
        toolchain = language.toolchain()
        if toolchain is None:
            missing = f"no toolchain for language {language.name!r}: {language.install}"
            return Outcome(Verdict.NO_TOOLCHAIN, stderr=missing)
        try:
            return judge(program, language, toolchain, self._limits, leash)
        except SandboxFailed as error:
            logger.warning("%s", error)
            return Outcome(Verdict.INFRASTRUCTURE_ERROR, stderr=str(error))

    def _check(self) -> None:
        if self._checked:
            return
        broken = [layer for layer in probe(self._limits) if not layer.ok]
        if broken:
            layer = broken[0]
            raise SandboxUnavailable(
                f"generated programs are not executed here: {layer.name}: {layer.detail}"
            )
        self._checked = True
