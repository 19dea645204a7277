"""Tiny generators, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rr_harness.records import Problem
from tests.models import make_tiny_generator

torch.set_num_threads(1)

ADD = Problem("add", "py", "def add(a, b):\n")
PROBLEMS = [
    ADD,
    Problem(
        "largest", "py", "def largest(xs):\n    best = xs[0]\n    for", stop_tokens=("\n\n", "=")
    ),
    Problem("accents", "py", "def é✓ "),
]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama."""
    return make_tiny_generator(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def parrot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama that completes ``add`` and then writes EOS, with a chat template."""
    parrots = (ADD.prompt, "    return a + b\n# Return the sum\n")
    return make_tiny_generator(tmp_path_factory.mktemp("parrot"), parrots=parrots, chat=True)


@pytest.fixture(scope="session")
def spaced_parrot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same on one line, with a SentencePiece-like tokenizer."""
    parrots = ("def add(a, b):", "return a + b\n")
    return make_tiny_generator(tmp_path_factory.mktemp("spaced"), parrots=parrots, metaspace=True)
