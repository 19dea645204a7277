from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from rr_harness.errors import BadInput
from rr_harness.generation.base import Sampling, uniforms
from rr_harness.records import Problem

PROBLEM = Problem("p", "py", "def f():\n")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("n", 0),
        ("n", 1.5),
        ("n", True),
        ("temperature", -0.1),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("top_p", 0),
        ("top_p", 1.1),
        ("top_p", math.nan),
        ("max_new_tokens", 0),
        ("max_new_tokens", "8"),
        ("seed", 0.5),
    ],
)
def test_bad_setting_is_named_with_its_value(setting: str, value: Any) -> None:
    with pytest.raises(BadInput, match=f"{setting} is {value!r}; give"):
        Sampling(**{setting: value})


def test_greedy_has_one_candidate() -> None:
    with pytest.raises(BadInput, match="temperature is 0 and n is 10"):
        Sampling(temperature=0)
    assert Sampling(n=1, temperature=0).drawn == 1


def test_drawing_needs_a_number() -> None:
    with pytest.raises(BadInput, match="n is missing"):
        _ = Sampling(n=None).drawn


def test_uniforms_do_not_depend_on_n_or_length() -> None:
    few, many = Sampling(n=2, max_new_tokens=5), Sampling(n=9, max_new_tokens=50)
    assert uniforms(PROBLEM, 1, few) == uniforms(PROBLEM, 1, many)[:5]


def test_uniforms_depend_on_seed_problem_and_index() -> None:
    sampling = Sampling()
    others = [
        uniforms(PROBLEM, 1, sampling),
        uniforms(PROBLEM, 0, replace(sampling, seed=1)),
        *(
            uniforms(replace(PROBLEM, **{field: "x"}), 0, sampling)
            for field in ("name", "language", "prompt")
        ),
    ]
    assert uniforms(PROBLEM, 0, sampling) not in others


def test_uniforms_are_the_same_on_every_machine() -> None:
    assert uniforms(PROBLEM, 0, Sampling(max_new_tokens=1)) == [0.8620277481075226]
