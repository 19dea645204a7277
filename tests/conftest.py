"""Fixtures shared by all tests; what a skip is worth in CI."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run tests that take minutes too")
    parser.addoption("--network", action="store_true", help="run tests that need a data hub too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for mark in ("slow", "network"):
            if item.get_closest_marker(mark) and not config.getoption(f"--{mark}"):
                item.add_marker(pytest.mark.skip(reason=f"off by default, on with --{mark}"))


def need(present: bool, what: str) -> None:
    """Skip a test for want of something; in CI, where all of it is installed, fail instead."""
    if not present:
        if os.environ.get("CI"):
            pytest.fail(f"{what} is missing, and CI skips nothing that can be installed")
        pytest.skip(f"{what} is missing")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real problems and completions beside the checkout."""
    need(SHARED.is_dir(), f"the folder {SHARED.name} beside the checkout")
    return SHARED


@pytest.fixture(scope="session")
def fixture_pool() -> Path:
    """The bundled pool: 20 problems with 20 real candidates each."""
    return ROOT / "rr_harness" / "data" / "fixtures" / "humaneval_py_20x20.jsonl.gz"


@pytest.fixture(autouse=True)
def private_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep caches of the machine out of the tests, and the tests out of them."""
    monkeypatch.setenv("RR_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("RR_DATA_DIR", raising=False)
