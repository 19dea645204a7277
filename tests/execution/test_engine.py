"""Many programs at a time: order, bounds, duplicates, and leaving nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rr_harness.errors import SandboxUnavailable
from rr_harness.execution import Engine, Limits, Outcome, Program, probe
from rr_harness.execution import judge as judge_module
from rr_harness.records import IOTest, Verdict
from tests.conftest import ROOT
from tests.execution.processes import eventually, orphans, running


def count_judged(monkeypatch: pytest.MonkeyPatch) -> list[Program]:
    judged: list[Program] = []
    real = judge_module.judge

    def judge(program: Program, *rest: object) -> Outcome:
        judged.append(program)
        return real(program, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("rr_harness.execution.engine.judge", judge)
    return judged


def test_equal_programs_run_once_and_all_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = count_judged(monkeypatch)
    programs = [
        Program(language, f"assert {n % 3}") for n in range(30) for language in ("py", "python")
    ]
    with Engine(2) as engine:
        found = list(engine.run(programs))
    assert Counter(program for program, _ in found) == Counter(programs)
    assert all(outcome.passed is (program.source != "assert 0") for program, outcome in found)
    assert len(judged) == 3


def test_a_quick_program_does_not_wait_for_a_slow_one() -> None:
    slow, quick = Program("py", "import time; time.sleep(1)"), Program("py", "")
    with Engine(2) as engine:
        assert [program for program, _ in engine.run([slow, quick])] == [quick, slow]


def test_programs_are_taken_as_needed() -> None:
    taken = 0

    def endless() -> Iterator[Program]:
        nonlocal taken
        while True:
            taken += 1
            yield Program("py", f"# {taken % 7}")

    with Engine(2) as engine:
        run = engine.run(endless())
        for _ in range(20):
            next(run)
    assert taken <= 20 + 2 * 8


def test_an_error_of_the_caller_passes_through_and_ends_the_run() -> None:
    def broken() -> Iterator[Program]:
        yield Program("sh", "sleep 4713.0815")
        raise KeyError("mine")

    with Engine(1) as engine, pytest.raises(KeyError, match="mine"):
        list(engine.run(broken()))
    assert running("4713.0815") == []


def test_no_programs() -> None:
    assert list(Engine(1).run([])) == []


@pytest.mark.toolchain("cpp")
@pytest.mark.parametrize("how", ["generator", "engine"])
def test_closing_early_leaves_nothing(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sleep = '#include <cstdlib>\nint main() { return system("sleep 4714.0815"); }'
    engine = Engine(2)
    with engine:
        run = engine.run([Program("cpp", sleep), Program("py", ""), Program("cpp", sleep + "\n")])
        next(run)
        assert eventually(lambda: bool(running("sleep 4714.0815")))
        assert list(tmp_path.glob("rr-harness-*"))
        begin = time.monotonic()
        if how == "generator":
            run.close()  # type: ignore[attr-defined]
        else:
            engine.close()
        assert time.monotonic() - begin < 5
        assert running("4714.0815") == []
        assert list(tmp_path.glob("rr-harness-*")) == []


SCRIPT = """
import tempfile, sys
from rr_harness.execution import Engine, Program
with Engine(2) as engine:
    programs = [Program("sh", f"sleep {sys.argv[1]} # {n}") for n in range(3)]
    print("ready", flush=True)
    list(engine.run(programs))
"""


@pytest.mark.toolchain("sh")
@pytest.mark.parametrize("delay", [None, 0.0, 0.005, 0.01, 0.02])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_process_leaves_no_program(number: signal.Signals, delay: float | None) -> None:
    # The delays are there to stop it while a sandbox is being set up.
    word = f"47{15 + (number == signal.SIGINT)}.0815{int(1000 * (delay or 0))}"
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, word],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        with orphans() as left:
            process.stdout.readline()
            if delay is None:
                assert eventually(lambda: bool(running(f"sleep {word}")))
            else:
                time.sleep(delay)
            process.send_signal(number)
            _, stderr = process.communicate(timeout=20)
            assert process.returncode == -number
            assert "KeyboardInterrupt" in stderr or number == signal.SIGKILL
            assert eventually(lambda: [line for line in left() if not line.endswith("Z")] == [], 5)


def test_descriptors_are_given_back() -> None:
    with Engine(2, Limits(seconds=0.3)) as engine:
        list(engine.run([Program("py", "")]))
        before = len(os.listdir("/proc/self/fd"))
        sources = ["", "1 / 0", "while True: pass", "print('x' * 300_000)"]
        list(engine.run(Program("py", source + "#") for source in sources))
    assert len(os.listdir("/proc/self/fd")) == before


def test_nothing_runs_before_the_sandbox_is_known_to_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged = count_judged(monkeypatch)
    broken = [probe()[0]._replace(ok=False, detail="broken on purpose")]
    monkeypatch.setattr("rr_harness.execution.engine.probe", lambda limits: broken)
    with pytest.raises(SandboxUnavailable, match="broken on purpose"):
        list(Engine(1).run([Program("py", "")]))
    assert judged == []


@given(st.text(), st.text())
def test_keys_tell_programs_apart(one: str, other: str) -> None:
    assert (Program("py", one).key == Program("python", other).key) == (one == other)
    assert Program("py", one).key != Program("sh", one).key
    assert Program("py", one).key != Program("py", one, (IOTest(one, other),)).key


def test_text_that_is_no_text_is_the_programs_own_fault() -> None:
    with Engine(1) as engine:
        [(_, outcome)] = engine.run([Program("py", "x = '\ud800'")])
    assert outcome.passed is False
    assert outcome.verdict is Verdict.SYNTAX_ERROR
