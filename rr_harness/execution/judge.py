"""One program to one outcome: compile it once, run it on each test, name the verdict.

Not handled: whether the tests have run at all. A program that exits with 0 before them is OK here.
"""

from __future__ import annotations

import hashlib
import json
import signal
from contextlib import ExitStack
from dataclasses import dataclass, replace

from rr_harness.execution.languages import Command, Language, Toolchain, canonical_language
from rr_harness.execution.sandbox import PROGRAM, Limits, Step, build_folder, run_step
from rr_harness.execution.supervise import Ending, Leash
from rr_harness.records import IOTest, Verdict

# A CPU limit ends a program whose supervisor slept; the shell convention for a fatal signal.
_CPU_LIMIT = 128 + signal.SIGXCPU
_SPARE_OUTPUT = 1 << 16  # bytes of white space and wrong tokens read beyond the expected output


@dataclass(frozen=True, slots=True)
class Program:
    """A whole program and how it is tested.

    Attributes:
        language: any spelling of the language.
        source: the text, with its tests unless there are ``io_tests``.
        io_tests: run once for each; exit code 0 and the expected tokens pass.
    """

    language: str
    source: str
    io_tests: tuple[IOTest, ...] = ()

    @property
    def key(self) -> str:
        """SHA-256 of all that decides the verdict, apart from machine and limits."""
        tests = [[test.input, test.output] for test in self.io_tests]
        content = json.dumps([canonical_language(self.language), self.source, tests])
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a program.

    Attributes:
        verdict: why it passed or failed.
        seconds: wall time of all its steps, sandbox included.
        stdout: the first bytes of the last step's standard output.
        stderr: the same of standard error; the reason if the program was not run.
        exit_code: of the last step, 128 + signal number if one killed it; None if it was stopped
            at the time limit or not run.
    """

    verdict: Verdict
    seconds: float = 0.0
    stdout: str = ""
    stderr: str = ""
    exit_code: int | None = None

    @property
    def passed(self) -> bool | None:
        """True, False, or None if the program was not run."""
        return self.verdict.passed


def judge(
    program: Program,
    language: Language,
    toolchain: Toolchain,
    limits: Limits,
    leash: Leash,
) -> Outcome:
    """Run a program to its verdict.

    Raises:
        SandboxUnavailable: there is no sandbox.
        SandboxFailed: it did not start.
        Cancelled: the leash was pulled.
    """
    with ExitStack() as stack:
        run = _Runner(program, language, toolchain, limits, leash)
        compiler = language.compile_command(toolchain, limits.memory_mib)
        if compiler:
            run.build = stack.enter_context(build_folder())
            ending = run.step(compiler, writes_build=True)
            if ending.timed_out or ending.exit_code != 0:
                failed = Verdict.TIMEOUT if _out_of_time(ending) else Verdict.SYNTAX_ERROR
                return run.outcome(failed, ending)
        command = language.run_command(toolchain, limits.memory_mib)
        for test in program.io_tests or (None,):
            ending = run.step(command, test=test)
            verdict = _verdict(language, ending, test)
            if verdict is not Verdict.OK:
                break
        return run.outcome(verdict, ending)


class _Runner:
    """The steps of one program, and the time they took."""

    def __init__(
        self,
        program: Program,
        language: Language,
        toolchain: Toolchain,
        limits: Limits,
        leash: Leash,
    ) -> None:
        # A lone surrogate is an error of the program's, so it is for its compiler to say so.
        source = program.source.encode(errors="surrogatepass")
        self.files = {f"{PROGRAM}/{language.file_name}": source}
        self.folders = toolchain.folders
        self.build: str | None = None
        self.limits = limits
        self.leash = leash
        self.seconds = 0.0

    def step(
        self, command: Command, *, writes_build: bool = False, test: IOTest | None = None
    ) -> Ending:
        step = Step(
            argv=command.argv,
            seconds=self.limits.seconds or command.seconds,
            reserves_memory=command.reserves_memory,
            files=self.files,
            folders=self.folders,
            build=self.build,
            writes_build=writes_build,
        )
        keep = self.limits.output_bytes
        if test:
            step = replace(step, stdin=test.input.encode(errors="surrogatepass"))
            keep = max(keep, 2 * len(test.output.encode(errors="surrogatepass")) + _SPARE_OUTPUT)
        ending = run_step(step, self.limits, self.leash, keep=keep)
        self.seconds += ending.seconds
        return ending

    def outcome(self, verdict: Verdict, ending: Ending) -> Outcome:
        kept = self.limits.output_bytes
        stdout, stderr = (
            bytes(stream.head[:kept]).decode(errors="replace")
            for stream in (ending.stdout, ending.stderr)
        )
        return Outcome(verdict, self.seconds, stdout, stderr, ending.exit_code)


def _out_of_time(ending: Ending) -> bool:
    return ending.timed_out or ending.exit_code == _CPU_LIMIT


def _verdict(language: Language, ending: Ending, test: IOTest | None) -> Verdict:
    if _out_of_time(ending):
        return Verdict.TIMEOUT
    if ending.exit_code != 0:
        return language.diagnose(ending.stderr.text)
    return Verdict.OK if test is None or _prints(ending, test.output) else Verdict.EXCEPTION


def _prints(ending: Ending, expected: str) -> bool:
    whole = ending.stdout.size == len(ending.stdout.head)
    tokens = expected.encode(errors="surrogatepass").split()
    return whole and bytes(ending.stdout.head).split() == tokens
