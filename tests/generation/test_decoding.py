"""The draw and the end of a row, on tensors and a real tokenizer."""

from __future__ import annotations

import random

import pytest
import torch
from scipy.stats import chisquare

from rr_harness.generation.decoding import Draw, End, added, cut, draw
from tests.models import make_tokenizer

LOGITS = torch.tensor([2.0, -1.0, 0.5, 1.9, -3.0, 0.0], dtype=torch.float64)


def exact(logits: torch.Tensor, temperature: float, top_p: float) -> list[float]:
    """The nucleus distribution, written the slow way."""
    weights = (logits / temperature).exp()
    shares = dict(enumerate((weights / weights.sum()).tolist()))
    kept: dict[int, float] = {}
    for token in sorted(shares, key=shares.__getitem__, reverse=True):
        if sum(kept.values()) < top_p:
            kept[token] = shares[token]
    return [kept.get(token, 0.0) / sum(kept.values()) for token in shares]


@pytest.mark.parametrize(("temperature", "top_p"), [(0.7, 0.9), (1.0, 1.0), (2.0, 0.5)])
def test_draws_follow_the_nucleus_distribution(temperature: float, top_p: float) -> None:
    count = 20_000
    numbers = random.Random(7)
    uniform = torch.tensor([[numbers.random()] for _ in range(count)], dtype=torch.float64)
    tokens = draw((LOGITS / temperature).expand(count, -1), top_p, uniform).flatten()
    seen = torch.bincount(tokens, minlength=len(LOGITS)).tolist()
    expected = exact(LOGITS, temperature, top_p)
    possible = [token for token, share in enumerate(expected) if share]
    assert sum(seen[token] for token in possible) == count
    assert (
        chisquare(
            [seen[token] for token in possible], [expected[token] * count for token in possible]
        ).pvalue
        > 0.01
    )


def test_tiny_nucleus_is_the_most_probable_token() -> None:
    uniform = torch.tensor([[0.0], [0.999999]], dtype=torch.float64)
    assert draw(LOGITS.expand(2, -1), 1e-9, uniform).flatten().tolist() == [0, 0]


@pytest.mark.parametrize("uniform", [0.0, 0.5, 1 - 2**-53])
def test_impossible_token_is_never_drawn(uniform: float) -> None:
    logits = torch.full((1, 9), -torch.inf, dtype=torch.float64)
    logits[0, [3, 5]] = 1.0
    drawn = draw(logits, 1.0, torch.tensor([[uniform]], dtype=torch.float64))
    assert drawn.item() in (3, 5)


def test_only_the_drawn_token_is_left() -> None:
    processor = Draw([[0.5], [0.999]], 1.0, 1.0, start=3)
    scores = processor(torch.zeros(2, 3, dtype=torch.long), LOGITS.float().expand(2, -1))
    assert torch.isfinite(scores).sum(-1).tolist() == [1, 1]


def test_logprob_is_untempered() -> None:
    processor = Draw([[0.3]], 0.2, 0.5, start=0)
    scores = processor(torch.zeros(1, 0, dtype=torch.long), LOGITS.float()[None])
    expected = LOGITS.log_softmax(-1)[scores.argmax()]
    assert processor.logprobs[0].item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize(
    ("text", "stops", "expected"),
    [
        ("a\ndef b", ("\nclass", "\ndef"), "a"),
        ("a\nclass\ndef", ("\ndef", "\nclass"), "a"),
        ("a", ("\ndef",), "a"),
        ("\n}", ("\n}",), ""),
        ("a", (), "a"),
    ],
)
def test_cut_is_before_the_first_stop_token(
    text: str, stops: tuple[str, ...], expected: str
) -> None:
    assert cut(text, stops) == expected


@pytest.mark.parametrize("metaspace", [False, True])
def test_row_ends_with_the_token_that_completes_a_stop(metaspace: bool) -> None:
    tokenizer = make_tokenizer(metaspace=metaspace)
    prompt = tokenizer("def add(a, b):", add_special_tokens=False).input_ids
    ids = tokenizer(" return a\n\nclass Ab:\n    pass", add_special_tokens=False).input_ids
    end = End(tokenizer, [("\nclass", "zzz"), ()], {1}, len(prompt))
    for count in range(1, len(ids) + 1):
        end(torch.tensor([[*prompt, *ids[:count]]] * 2), None)
    length = end.lengths[0]
    assert length is not None
    assert "\nclass" in added(tokenizer, prompt, ids[:length])
    assert "\nclass" not in added(tokenizer, prompt, ids[: length - 1])
    assert end.lengths[1] is None


def test_stop_token_that_begins_with_a_space_at_the_start() -> None:
    tokenizer = make_tokenizer(metaspace=True)
    prompt = tokenizer("def add(a, b):", add_special_tokens=False).input_ids
    ids = tokenizer("return", add_special_tokens=False).input_ids
    end = End(tokenizer, [(" return",)], {1}, len(prompt))
    assert end(torch.tensor([[*prompt, *ids]]), None).tolist() == [True]


def test_stop_token_in_the_prompt_does_not_end_the_row() -> None:
    tokenizer = make_tokenizer()
    prompt = tokenizer("x\n\n", add_special_tokens=False).input_ids
    ids = tokenizer("y", add_special_tokens=False).input_ids
    end = End(tokenizer, [("\n\n", "\ny")], {1}, len(prompt))
    assert end(torch.tensor([[*prompt, *ids]]), None).tolist() == [False]


def test_eos_ends_a_row_and_counts() -> None:
    end = End(make_tokenizer(), [()], {1}, 2)
    assert end(torch.tensor([[5, 6, 7]]), None).tolist() == [False]
    assert end(torch.tensor([[5, 6, 7, 1]]), None).tolist() == [True]
    assert end.lengths == [2]
