"""The start-up hook: what it registers, when, and that it never harms the host."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytest.importorskip("lm_eval")

SHOW = """
import sys
import {first}
from lm_eval.api.registry import MODEL_REGISTRY
print("hf" in MODEL_REGISTRY, "rewardranker" in MODEL_REGISTRY)
"""


DROP = "import sys; sys.modules.pop('_rr_harness_autoregister', None);"


def python(code, **environment):
    import os

    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("first", ["lm_eval.models", "lm_eval.tasks, lm_eval.models"])
def test_hook_adds_our_model_to_the_built_in_ones(first):
    assert python(SHOW.format(first=first)).stdout.split() == ["True", "True"]


def test_off_switch():
    done = python(SHOW.format(first="lm_eval.models"), RR_NO_AUTOREGISTER="1")
    assert done.stdout.split() == ["True", "False"]


def test_hook_imports_nothing_but_itself():
    code = (
        "import sys; before = set(sys.modules)\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import _rr_harness_autoregister as hook; hook.install()\n"
        "print(*(set(sys.modules) - before))"
    )
    startup = ROOT / "plugins" / "startup"
    done = subprocess.run(
        # -I and no hook of the environment: this Python has not seen the module yet.
        [sys.executable, "-I", "-c", code.replace("import sys;", DROP), startup],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["_rr_harness_autoregister"]


def test_hook_is_installed_once():
    code = (
        "import sys, _rr_harness_autoregister as hook; hook.install(); hook.install();"
        "print(sum(f is hook._Finder for f in sys.meta_path))"
    )
    assert python(code).stdout.strip() == "1"


def test_the_module_keeps_its_real_loader():
    code = (
        "import lm_eval.models as m, inspect; assert inspect.getsource(m);"
        "print(type(m.__spec__.loader).__name__, type(m.__loader__).__name__)"
    )
    assert python(code).stdout.split() == ["SourceFileLoader", "SourceFileLoader"]


def test_our_failure_is_one_line_and_the_host_goes_on(tmp_path):
    (tmp_path / "lm_eval_rr").mkdir()
    (tmp_path / "lm_eval_rr" / "__init__.py").write_text("raise RuntimeError('broken')")
    done = python(SHOW.format(first="lm_eval.models"), PYTHONPATH=str(tmp_path))
    assert done.stdout.split() == ["True", "False"]
    assert done.stderr.strip() == "rr-harness: not registered with lm_eval: RuntimeError('broken')"


def test_every_task_manager_scans_our_folder_and_the_users_path_wins(monkeypatch):
    from lm_eval.tasks import TaskManager
    from lm_eval_rr.registration import TASKS_FOLDER, register_tasks

    seen = []

    def init(self, verbosity=None, include_path=None, include_defaults=True, metadata=None):
        seen.append(include_path)

    monkeypatch.setattr(TaskManager, "__init__", init)
    register_tasks()
    register_tasks()  # applied once
    TaskManager()
    TaskManager(include_path="mine")
    TaskManager(None, ["a", "b"])
    TaskManager(include_defaults=False)
    own = str(TASKS_FOLDER)
    assert seen == [[own], [own, "mine"], [own, "a", "b"], None]
    assert (TASKS_FOLDER / "multiple_py_bon.yaml").is_file()
