"""Each test attacks one property of the sandbox."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from rr_harness.errors import SandboxUnavailable
from rr_harness.execution import Engine, Limits, Outcome, Program, probe, sandbox
from rr_harness.execution.supervise import Stream
from rr_harness.records import Verdict
from tests.execution.processes import eventually, running


def run(source: str, language: str = "py", **limits: float) -> Outcome:
    with Engine(1, Limits(**limits)) as engine:  # type: ignore[arg-type]
        [(_, outcome)] = engine.run([Program(language, source)])
    return outcome


def test_every_layer_holds_here() -> None:
    assert [layer for layer in probe() if not layer.ok] == []


def test_the_time_limit_kills_what_ignores_signals() -> None:
    begin = time.monotonic()
    outcome = run(
        "import signal\nfor s in set(signal.Signals) - {9, 19}:\n"
        "    signal.signal(s, signal.SIG_IGN)\nwhile True: pass",
        seconds=0.5,
    )
    assert outcome.verdict is Verdict.TIMEOUT
    assert outcome.exit_code is None
    assert time.monotonic() - begin < 5


@pytest.mark.toolchain("js")
def test_buffers_outside_the_heap_count_as_memory() -> None:
    source = "const k = []; for (;;) k.push(Buffer.alloc(16 << 20, 1));"
    assert run(source, "js", seconds=10, memory_mib=256).verdict is Verdict.OUT_OF_MEMORY


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_much_output_is_drained_and_no_failure(name: str) -> None:
    outcome = run(f"import sys\nsys.{name}.write('é' * 200_000)")
    assert outcome.verdict is Verdict.OK
    assert 1000 < len(getattr(outcome, name)) <= Limits().output_bytes


@pytest.mark.toolchain("sh")
def test_an_endless_flood_stops_at_the_time_limit() -> None:
    outcome = run("while :; do printf '%065536d' 0 >&2; done", "sh", seconds=0.5)
    assert outcome.verdict is Verdict.TIMEOUT
    assert len(outcome.stderr) == Limits().output_bytes
    assert outcome.stdout == ""


def test_a_stream_keeps_head_and_tail_of_a_flood() -> None:
    reader, writer = os.pipe()
    stream = Stream(reader, 10)
    for _ in range(100):
        os.write(writer, b"x" * 60_000)
        stream.read()
    os.write(writer, b"MemoryError")
    stream.read_rest()
    os.close(writer)
    assert not stream.read()
    os.close(reader)
    assert stream.size == 100 * 60_000 + 11
    assert len(stream.head) == 10
    assert len(stream.tail) == 2048
    assert stream.text.endswith("xMemoryError")


def test_an_error_after_much_output_is_recognised() -> None:
    source = "import sys\nsys.stderr.write('x' * 100_000)\nraise MemoryError"
    assert run(source).verdict is Verdict.OUT_OF_MEMORY


def test_there_is_no_network() -> None:
    source = """
import socket
assert [name for _, name in socket.if_nameindex()] == ["lo"]
for address in (("127.0.0.1", 22), ("192.0.2.1", 80)):
    try:
        socket.create_connection(address, 1)
    except OSError:
        pass
    else:
        raise SystemExit(1)
"""
    assert run(source).verdict is Verdict.OK


def test_a_daemon_does_not_survive() -> None:
    source = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv("/bin/sleep", ["sleep", "4711.0815"])
    os._exit(0)
time.sleep(0.2)
"""
    begin = time.monotonic()
    outcome = run(source, seconds=30)
    assert outcome.verdict is Verdict.OK  # and it did not wait for the pipe the daemon holds
    assert time.monotonic() - begin < 15
    assert running("4711.0815") == []


def test_nothing_outside_is_writable_or_visible(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    source = f"""
import os
for folder in ("/", "/usr/lib", "/etc", "/dev", "/program", {str(tmp_path)!r}):
    try:
        open(folder + "/escaped", "w")
    except OSError:
        pass
    else:
        raise SystemExit("wrote to " + folder)
for path in ("/etc/shadow", "/etc/passwd", "/home", "/var", {str(tmp_path)!r}):
    assert not os.path.exists(path), path
assert set(os.listdir(".")) == set() and os.getcwd() == os.environ["HOME"]
for path in ("here", "/tmp/there", "/dev/shm/everywhere"):
    open(path, "w").write("x")
"""
    outcome = run(source)
    assert outcome.verdict is Verdict.OK, outcome
    assert not (tmp_path / "escaped").exists()


def test_the_disk_is_limited() -> None:
    source = """
n = 0
while True:
    with open(f"fill{n}", "wb") as file:
        file.write(bytes(1 << 20))
    n += 1
"""
    outcome = run(source, disk_mib=8)
    assert outcome.verdict is Verdict.EXCEPTION
    assert "No space left" in outcome.stderr


def test_a_fork_bomb_meets_the_limit() -> None:
    source = """
import os, time
for n in range(100):
    if os.fork() == 0:
        time.sleep(4712.0815)
"""
    outcome = run(source, processes=20)
    assert outcome.verdict is Verdict.EXCEPTION
    assert "BlockingIOError" in outcome.stderr


def test_two_sandboxes_do_not_share_the_process_limit() -> None:
    source = "import os, time\nfor n in range(12):\n    os.fork() or time.sleep(0.3) or os._exit(0)"
    programs = [Program("py", source + f"  # {n}") for n in range(4)]
    with Engine(4, Limits(processes=20)) as engine:
        outcomes = [outcome for _, outcome in engine.run(programs)]
    assert [outcome.verdict for outcome in outcomes] == [Verdict.OK] * 4, outcomes


def test_the_environment_of_the_host_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hunter2")
    source = """
import os
for process in filter(str.isdigit, os.listdir("/proc")):
    assert "hunter2" not in open(f"/proc/{process}/environ").read(), process
    assert "json-status-fd" not in open(f"/proc/{process}/cmdline").read(), process
assert len(list(filter(str.isdigit, os.listdir("/proc")))) == 2
assert set(os.listdir("/proc/self/fd")) <= {"0", "1", "2", "3"}  # 3: the listing itself
"""
    outcome = run(source)
    assert outcome.verdict is Verdict.OK, outcome


def test_no_privileges_and_no_new_namespaces() -> None:
    source = """
import ctypes, os
assert os.getuid() == 1000
assert ctypes.CDLL(None).unshare(0x10000000) == -1
try:
    os.setuid(0)
except OSError:
    pass
else:
    raise SystemExit(1)
"""
    assert run(source).verdict is Verdict.OK


def test_standard_input_is_empty_and_takes_nothing() -> None:
    source = """
import os, sys
assert sys.stdin.read() == ""
try:
    os.write(os.open("/proc/self/fd/0", os.O_RDWR), b"x")
except OSError:
    pass
else:
    raise SystemExit(1)
"""
    assert run(source).verdict is Verdict.OK


@pytest.mark.toolchain("cpp")
def test_a_program_cannot_change_what_the_compiler_made() -> None:
    source = """
#include <cassert>
#include <fstream>
int main() { std::ofstream f("/build/x"); f << 1; f.flush(); assert(!f); }
"""
    assert run(source, "cpp").verdict is Verdict.OK


@pytest.mark.toolchain("cpp")
def test_the_compiler_sees_no_secret() -> None:
    outcome = run('#include "/etc/shadow"\nint main() {}', "cpp")
    assert outcome.verdict is Verdict.SYNTAX_ERROR
    assert "No such file" in outcome.stderr


def test_without_bubblewrap_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    sandbox._find.cache_clear()
    try:
        with pytest.raises(SandboxUnavailable, match="sudo apt-get install bubblewrap"):
            Engine().__enter__()
        with pytest.raises(SandboxUnavailable):
            list(Engine().run([Program("py", "")]))
    finally:
        sandbox._find.cache_clear()


@pytest.mark.parametrize(
    ("complaint", "advice"),
    [
        ("Unknown option --disable-userns", "0.8 or newer"),
        ("setting up uid map: Permission denied", "user namespaces are off"),
        ("Creating new namespace failed: Operation not permitted", "seccomp=unconfined"),
    ],
)
def test_a_sandbox_that_does_not_start_is_refused_with_advice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, complaint: str, advice: str
) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text(f"#!/bin/sh\necho 'bwrap: {complaint}' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sandbox, "_launcher", lambda step: [str(fake)])
    with pytest.raises(SandboxUnavailable, match=advice) as caught:
        Engine().__enter__()
    assert complaint in str(caught.value)


def test_a_layer_that_does_not_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = sandbox._limited
    without = [lambda step, limits: [w for w in real(step, limits) if not w.startswith("--nproc")]]
    monkeypatch.setattr(sandbox, "_limited", without[0])
    with pytest.raises(SandboxUnavailable, match="process limit"):
        Engine().__enter__()


def test_a_sandbox_that_stops_working_is_no_failure_of_the_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    fake = tmp_path / "bwrap"
    fake.write_text(f"#!/bin/sh\necho x >> {calls}\necho 'bwrap: no luck' >&2\nexit 1\n")
    fake.chmod(0o755)
    with Engine(1) as engine:
        monkeypatch.setattr(sandbox, "_launcher", lambda step: [str(fake)])
        [(_, outcome)] = engine.run([Program("py", "")])
    assert outcome.verdict is Verdict.INFRASTRUCTURE_ERROR
    assert outcome.passed is None
    assert "no luck" in outcome.stderr
    assert len(calls.read_text().split()) == 2  # tried again once


def test_folders_below_a_closed_one_are_put_back(tmp_path: Path) -> None:
    closed, shown = tmp_path / "closed", tmp_path / "closed" / "a" / "b"
    shown.mkdir(parents=True)
    tmp_path.parent.chmod(0o711)
    closed.chmod(0o700)
    words = sandbox._open_closed("bwrap", ["/usr", str(shown)])
    assert words[-3:] == ["--bind", str(shown), str(shown)]
    assert words[words.index("--tmpfs") + 1] in map(str, shown.parents)
    assert sandbox._open_closed("bwrap", ["/usr"]) == []


def test_eventually_gives_up() -> None:
    assert not eventually(lambda: False, 0.01)
