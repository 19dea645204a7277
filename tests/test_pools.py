import gzip
import os
import signal
import subprocess
import sys
import time

import pytest

from rr_harness.errors import BadInput
from rr_harness.pools import Journal, read_pools, write_pools
from rr_harness.records import Candidate, Pool, Problem

POOLS = [
    Pool(Problem(f"p{index}", "py", "def f():\n", "f()"), (Candidate("    return\r1\u2028"),))
    for index in range(3)
]


@pytest.mark.parametrize("name", ["pool.jsonl", "pool.jsonl.gz"])
def test_what_is_written_is_read(tmp_path, name):
    write_pools(tmp_path / name, POOLS)
    assert list(read_pools(tmp_path / name)) == POOLS
    assert os.listdir(tmp_path) == [name]


def test_same_pools_same_gzip_bytes(tmp_path):
    write_pools(tmp_path / "a.jsonl.gz", POOLS)
    time.sleep(1.1)  # gzip headers count time in seconds
    write_pools(tmp_path / "b.jsonl.gz", POOLS)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


GOOD = '{"name": "a", "language": "py", "prompt": "", "tests": "", "candidates": []}\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD + '{"name": 7}\n', r":2: field 'name': expected a non-empty string, got 7"),
        (GOOD + "{\n", r":2: expected one JSON object a line: "),
        (GOOD + '{"name": "b', r":2: .*the last line is cut off"),
        (GOOD + "[]\n", r":2: expected a JSON object, got list"),
        (GOOD + GOOD, r":2: field 'name': 'a' \(py\) is already on line 1"),
        ('{"name": NaN}\n', r":1: .*NaN is not JSON"),
        ('{"name": 1e999}\n', r":1: .*1e999 is too large for a number"),
        ("[" * 100_000, r":1: expected one JSON object a line"),
        ("", r"is empty, expected one pool a line"),
        ("\n\n", r"is empty"),
    ],
)
def test_a_bad_line_is_reported_with_file_line_and_field(tmp_path, content, message):
    path = tmp_path / "pool.jsonl"
    path.write_text(content)
    with pytest.raises(BadInput, match=r"pool\.jsonl" + message.replace("is empty", ".*is empty")):
        list(read_pools(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe{}", "not UTF-8"),
        (gzip.compress(GOOD.encode())[:-9], "broken gzip file"),
        (b"\x1f\x8bnonsense", "broken gzip file"),
    ],
)
def test_a_file_that_is_no_text_is_reported(tmp_path, content, message):
    path = tmp_path / "pool.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=message):
        list(read_pools(path))


def test_a_missing_file_and_a_folder_are_reported(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        list(read_pools(tmp_path / "none.jsonl"))
    with pytest.raises(BadInput, match="is a folder"):
        list(read_pools(tmp_path))


def test_a_journal_remembers_what_was_finished(tmp_path):
    with Journal(tmp_path / "out.jsonl", {"seed": 1}) as journal:
        journal.append({"name": "a"})
        journal.append({"name": "b"})
    with Journal(tmp_path / "out.jsonl", {"seed": 1}) as journal:
        assert journal.entries == [{"name": "a"}, {"name": "b"}]
        assert not (tmp_path / "out.jsonl").exists()
        journal.finish(POOLS, {"version": "1"})
    assert list(read_pools(tmp_path / "out.jsonl")) == POOLS
    assert sorted(os.listdir(tmp_path)) == ["out.jsonl", "out.jsonl.run.json"]
    with Journal(tmp_path / "out.jsonl", {"seed": 1}) as journal:
        assert journal.complete


@pytest.mark.parametrize("cut", range(1, 14))
def test_a_line_cut_off_by_a_crash_is_dropped_and_redone(tmp_path, cut):
    with Journal(tmp_path / "out.jsonl", {"seed": 1}) as journal:
        journal.append({"name": "a"})
        journal.append({"name": "b"})
    partial = tmp_path / "out.jsonl.partial"
    partial.write_bytes(partial.read_bytes()[:-cut])
    with Journal(tmp_path / "out.jsonl", {"seed": 1}) as journal:
        assert journal.entries == [{"name": "a"}]
        journal.append({"name": "b"})
    with Journal(tmp_path / "out.jsonl", {"seed": 1}) as journal:
        assert journal.entries == [{"name": "a"}, {"name": "b"}]


def test_a_crash_in_the_first_line_starts_over(tmp_path):
    (tmp_path / "out.jsonl.partial").write_bytes(b'{"se')
    with Journal(tmp_path / "out.jsonl", {"seed": 1}) as journal:
        assert journal.entries == []
        journal.append({"name": "a"})
    with Journal(tmp_path / "out.jsonl", {"seed": 1}) as journal:
        assert journal.entries == [{"name": "a"}]


def test_a_run_that_finished_nothing_does_not_block_another(tmp_path):
    with Journal(tmp_path / "out.jsonl", {"seed": 1}):
        pass
    with Journal(tmp_path / "out.jsonl", {"seed": 2}) as journal:
        assert journal.entries == []


def test_a_damaged_journal_is_reported(tmp_path):
    with Journal(tmp_path / "out.jsonl", {"seed": 1}) as journal:
        journal.append({"name": "a"})
    with (tmp_path / "out.jsonl.partial").open("ab") as stream:
        stream.write(b"\xff\n")
    with pytest.raises(BadInput, match=r"out.jsonl.partial:3: expected one JSON object a line"):
        Journal(tmp_path / "out.jsonl", {"seed": 1})


def test_a_write_that_fails_leaves_nothing(tmp_path):
    def pools():
        yield POOLS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_pools(tmp_path / "out.jsonl", pools())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("finished", [False, True])
def test_another_configuration_is_refused_and_nothing_lost(tmp_path, finished):
    with Journal(tmp_path / "out.jsonl", {"seed": 1}) as journal:
        journal.append({"name": "a"})
        if finished:
            journal.finish(POOLS, {})
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(BadInput, match=r"made with seed=1, now seed=2; choose another --output"):
        Journal(tmp_path / "out.jsonl", {"seed": 2})
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_of_unknown_making_is_never_overwritten(tmp_path):
    (tmp_path / "out.jsonl").write_text(GOOD)
    with pytest.raises(BadInput, match="does not say how it was made"):
        Journal(tmp_path / "out.jsonl", {"seed": 1})
    assert os.listdir(tmp_path) == ["out.jsonl"]


def test_a_second_run_on_one_output_refuses(tmp_path):
    with (
        Journal(tmp_path / "out.jsonl", {"seed": 1}),
        pytest.raises(BadInput, match="another run is writing it"),
    ):
        Journal(tmp_path / "out.jsonl", {"seed": 1})


def test_finished_work_survives_kill_9(tmp_path):
    script = (
        "import sys, itertools\n"
        "from rr_harness.pools import Journal\n"
        "journal = Journal(sys.argv[1], {'seed': 1})\n"
        "for index in itertools.count(len(journal.entries)):\n"
        "    journal.append({'index': index})\n"
        "    print(index, flush=True)\n"
    )
    output = tmp_path / "out.jsonl"
    finished = 0
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(output)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(200):
            finished = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with Journal(output, {"seed": 1}) as journal:
            indices = [entry["index"] for entry in journal.entries]
            assert indices == list(range(len(indices)))
            assert len(indices) > finished


def test_a_folder_or_unwritable_place_is_refused(tmp_path):
    with pytest.raises(BadInput, match="is a folder"):
        Journal(tmp_path, {})
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        Journal(tmp_path / "file" / "out.jsonl", {})
