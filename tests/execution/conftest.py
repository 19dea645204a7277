"""Skips for want of a toolchain, and how to look for what a run left behind."""

from __future__ import annotations

import pytest

from rr_harness.execution import find_language
from tests.conftest import need


@pytest.fixture(autouse=True)
def installed(request: pytest.FixtureRequest) -> None:
    """Obey the marker ``toolchain(language)``."""
    for mark in request.node.iter_markers("toolchain"):
        (name,) = mark.args
        language = find_language(name)
        assert language is not None, "install the package: pip install -e ."
        need(language.toolchain() is not None, f"the toolchain of {name} ({language.install})")
