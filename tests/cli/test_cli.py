"""The commands as a user meets them: tables, exit codes, one-line errors, second runs."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from rr_harness.pools import read_pools, write_pools
from rr_harness.records import pool_to_json

QUICK = ("--timeout", "3")  # the bundled pool has an endless loop


def rr(*arguments, expect=0, **environment):
    """Run the installed command; return standard output and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "rr_harness", *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def stripped(fixture_pool, tmp_path):
    """The bundled pool, its first five problems, without verdicts."""
    path = tmp_path / "stripped.jsonl"
    pools = [pool for pool, _ in zip(read_pools(fixture_pool), range(5), strict=False)]
    write_pools(path, [strip(pool) for pool in pools])
    return path


def strip(pool):
    return pool.with_candidates(tuple(c.with_verdict(None) for c in pool.candidates))


def test_help_of_every_command():
    top, _ = rr("--help")
    for name in ("generate", "score", "execute", "evaluate", "doctor"):
        assert name in top
        text, _ = rr(name, "--help")
        assert text.startswith(f"Usage: python -m rr_harness {name} ")


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom rr_harness.cli.main import cli\n"
        "try: cli.main(['--help'], standalone_mode=True)\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'datasets', 'rich', 'numpy', 'lm_eval'}\n"
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_execute_finds_the_verdicts_of_the_data_and_evaluate_prints_them(fixture_pool, tmp_path):
    output = tmp_path / "executed.jsonl"
    rr("execute", fixture_pool, *QUICK, "--output", output)
    known = {p.problem.key: [c.passed for c in p.candidates] for p in read_pools(fixture_pool)}
    found = {p.problem.key: [c.passed for c in p.candidates] for p in read_pools(output)}
    assert found == known
    run = json.loads((tmp_path / "executed.jsonl.run.json").read_text())
    assert run["config"]["toolchains"]["py"].startswith("Python 3")
    result = tmp_path / "result.json"
    table, _ = rr("evaluate", output, "--json", result)
    assert "20 problems, n = 20" in table and "majority" in table
    data = json.loads(result.read_text())
    assert data["n"] == 20 and data["problems"] == 20
    assert data["pass@1"] == pytest.approx(87 / 400) and data["oracle"] == 1.0
    assert data["rules"]["logprob"]["best_of_n"] is None
    low, high = data["rules"]["majority"]["interval"]
    assert low < data["rules"]["majority"]["best_of_n"] < high


def test_execute_does_not_trust_verdicts_it_finds(fixture_pool, tmp_path):
    lies = tmp_path / "lies.jsonl"
    row = pool_to_json(next(read_pools(fixture_pool)))
    for candidate in row["candidates"]:
        candidate |= {"verdict": "OK", "passed": True}
    lies.write_text(json.dumps(row) + "\n")
    rr("execute", lies, *QUICK, "--output", tmp_path / "truth.jsonl")
    (pool,) = read_pools(tmp_path / "truth.jsonl")
    assert {c.passed for c in pool.candidates} == {True, False}


def test_a_second_run_has_nothing_to_do_and_changes_nothing(stripped, tmp_path):
    output = tmp_path / "executed.jsonl"
    rr("execute", stripped, *QUICK, "--output", output)
    before = output.read_bytes(), output.stat().st_mtime_ns
    _, said = rr("execute", stripped, *QUICK, "--output", output)
    assert "complete already" in said
    assert (output.read_bytes(), output.stat().st_mtime_ns) == before


def test_killed_execution_goes_on_where_it_stopped(stripped, tmp_path):
    plain, killed = tmp_path / "plain.jsonl", tmp_path / "killed.jsonl"
    rr("execute", stripped, *QUICK, "--output", plain)
    command = [sys.executable, "-m", "rr_harness", "execute", stripped, *QUICK, "--output", killed]
    partial = tmp_path / "killed.jsonl.partial"
    kept = 1
    for _ in range(3):
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        goal = kept + 15
        while process.poll() is None and lines(partial) < goal:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not killed.exists()
        assert lines(partial) >= kept
        kept = lines(partial)
    before = partial.read_bytes()
    journal = before[: before.rindex(b"\n") + 1]
    rr("execute", stripped, *QUICK, "--output", killed)
    assert killed.read_bytes() == plain.read_bytes()
    # Nothing was done twice: each program of the journal occurs once.
    programs = [json.loads(line)["program"] for line in journal.splitlines()[1:]]
    assert len(programs) == len(set(programs)) == kept - 1


def lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_ctrl_c_says_what_is_kept(fixture_pool, tmp_path):
    command = [sys.executable, "-m", "rr_harness", "execute", fixture_pool, *QUICK]
    process = subprocess.Popen(
        [*command, "--output", tmp_path / "out.jsonl"], stderr=subprocess.PIPE, text=True
    )
    while lines(tmp_path / "out.jsonl.partial") < 5:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Finished work is kept" in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "none.jsonl"], "none.jsonl: no such file"),
        (["execute", "none.jsonl", "--output", "x.jsonl"], "none.jsonl: no such file"),
        (["evaluate", "bad.jsonl"], "bad.jsonl:1: field 'name' is missing"),
        (["evaluate", "empty.jsonl"], "empty.jsonl: is empty"),
        (["evaluate", "raw.jsonl"], "has no verdicts; run 'rr-harness execute' on it first"),
        (["evaluate", "done.jsonl", "--by", "logprop"], "did you mean 'logprob'"),
        (["generate", "--generator", "x", "--output", "y"], "--suite is missing"),
        (
            [
                "generate",
                "--backend",
                "replya",
                "--suite",
                "mbpp",
                "--generator",
                "x",
                "--output",
                "y",
            ],
            "unknown generator 'replya'; did you mean 'replay'",
        ),
        (
            ["generate", "--suite", "mbp", "--generator", "x", "--output", "y"],
            "unknown suite 'mbp'; did you mean 'mbpp'",
        ),
        (["evaluate", "done.jsonl", "--json", "done.jsonl"], "is the pool itself"),
        (["evaluate", "done.jsonl", "--json", "."], "is a folder"),
        (["frobnicate"], "No such command 'frobnicate'"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(arguments, message, fixture_pool, tmp_path):
    (tmp_path / "bad.jsonl").write_text("{}\n")
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "done.jsonl").write_bytes(gzip.decompress(fixture_pool.read_bytes()))
    write_pools(tmp_path / "raw.jsonl", [strip(next(read_pools(fixture_pool)))])
    before = sorted(os.listdir(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "rr_harness", *arguments],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert message in done.stderr and "Traceback" not in done.stderr
    assert sorted(os.listdir(tmp_path)) == before


def test_a_full_disk_loses_nothing(stripped, tmp_path):
    done = subprocess.run(["id", "-u"], capture_output=True, text=True, check=True)
    if done.stdout.strip() != "0":
        pytest.skip("a small file system needs root to be mounted")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", small], check=True)
    try:
        _, said = rr("execute", stripped, *QUICK, "--output", small / "out.jsonl", expect=1)
        assert "No space left on device; finished work is kept, rerun to go on" in said
        subprocess.run(["mount", "-o", "remount,size=10m", small], check=True)
        rr("execute", stripped, *QUICK, "--output", small / "out.jsonl")
        assert len(list(read_pools(small / "out.jsonl"))) == 5
    finally:
        subprocess.run(["umount", small], check=True)


def test_doctor_tells_what_works():
    data, _ = rr("doctor", "--json", "-")
    report = json.loads(data)
    assert all(row["ok"] for row in report["sandbox"])
    assert {"py", "js", "cpp", "java", "sh"} <= {row["name"] for row in report["toolchains"]}
    table, _ = rr("doctor")
    assert "sandbox" in table and "toolchains" in table


def test_doctor_and_execute_refuse_without_bubblewrap(stripped, tmp_path):
    python_only = tmp_path / "bin"
    python_only.mkdir()
    _, said = rr(
        "execute", stripped, *QUICK, "--output", tmp_path / "x.jsonl", expect=2, PATH=python_only
    )
    assert "bubblewrap" in said and "apt-get install bubblewrap" in said
    rr("doctor", expect=1, PATH=python_only)


def test_replay_takes_the_first_n_of_a_stored_pool(fixture_pool, tmp_path):
    output = tmp_path / "five.jsonl"
    base = ["generate", "--backend", "replay", "--generator", "humaneval_py_20x20"]
    rr(*base, "-n", 5, "--output", output)
    stored, replayed = list(read_pools(fixture_pool)), list(read_pools(output))
    assert [c.completion for p in replayed for c in p.candidates] == [
        c.completion for p in stored for c in p.candidates[:5]
    ]
    assert all(c.verdict is None for p in replayed for c in p.candidates)
