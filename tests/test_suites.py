import json

import pytest

from rr_harness import suites as module
from rr_harness.errors import BadInput
from rr_harness.suites import load_suite, suites

ROW = {"name": "x", "language": "py", "prompt": "def f():\n", "tests": "f()", "stop_tokens": ["\n"]}


def test_counts_of_the_published_prompts(shared):
    folder = shared / "data"
    assert len(load_suite("multiple-cpp", folder)) == 161
    assert len(load_suite("multiple-mbpp-ts", folder / "problems")) == 391
    assert load_suite("multiple-go", folder)[0].language == "go_test.go"


def test_bundled_suites_need_no_folder_and_no_network():
    humaneval, mbpp = load_suite("humaneval"), load_suite("mbpp")
    assert (len(humaneval), len(mbpp)) == (164, 500)
    assert humaneval[3].tests.endswith("\ncheck(below_zero)\n")
    assert mbpp[0].name == mbpp[0].origin == "mbpp/11"
    assert "assert remove_Occ" in mbpp[0].prompt and "assert remove_Occ" in mbpp[0].tests


def test_the_local_file_comes_before_the_hub(tmp_path, monkeypatch):
    (tmp_path / "multipl_e").mkdir()
    (tmp_path / "multipl_e" / "humaneval-py.jsonl").write_text(json.dumps(ROW) + "\n")
    monkeypatch.setenv("RR_DATA_DIR", str(tmp_path))
    assert [problem.name for problem in load_suite("multiple-py")] == ["x"]


def test_a_file_of_the_same_name_does_not_hide_a_suite(tmp_path, monkeypatch):
    (tmp_path / "mbpp").write_text("")
    monkeypatch.chdir(tmp_path)
    assert len(load_suite("mbpp")) == 500


def test_a_path_is_a_suite(tmp_path):
    (tmp_path / "mine.jsonl").write_text(json.dumps({**ROW, "name": "HumanEval_3_x"}) + "\n")
    assert load_suite(str(tmp_path / "mine.jsonl"))[0].origin == "HumanEval/3"


def test_the_error_names_the_folder_and_the_hub(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")

    def offline(*_args, **_kwargs):
        raise ConnectionError("no network")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(BadInput) as caught:
        load_suite("multiple-py", tmp_path)
    message = str(caught.value)
    assert f"{tmp_path} has no multipl_e/humaneval-py.jsonl" in message
    assert "nuprl/MultiPL-E (humaneval-py, revision d23b0943): no network" in message


def test_the_hub_is_asked_at_a_pinned_revision(monkeypatch):
    datasets = pytest.importorskip("datasets")
    asked = []

    def fake(path, config, *, split, revision):
        asked.append((path, config, split, revision))
        return [ROW]

    monkeypatch.setattr(datasets, "load_dataset", fake)
    load_suite("multiple-mbpp-py")
    load_suite("multiple-dart")
    assert asked == [
        ("nuprl/MultiPL-E", "mbpp-py", "test", module._MULTIPLE_PYTHON_REVISION),
        ("nuprl/MultiPL-E", "humaneval-dart", "test", module._MULTIPLE_REVISION),
    ]


def test_bad_names_folders_and_rows_are_clear(tmp_path):
    with pytest.raises(BadInput, match="unknown suite 'multiple-pyy'; did you mean 'multiple-py'"):
        load_suite("multiple-pyy")
    with pytest.raises(BadInput, match="no such folder"):
        load_suite("multiple-py", tmp_path / "none")
    (tmp_path / "mbpp.jsonl").write_text('{"task_id": "one"}\n')
    with pytest.raises(BadInput, match=r"mbpp\.jsonl:1: not a row of suite 'mbpp'"):
        load_suite("mbpp", tmp_path)


def test_names_follow_the_tasks():
    assert {"multiple-py", "multiple-mbpp-rkt", "humanevalpack-rs", "mbxp-kotlin"} <= set(suites())
