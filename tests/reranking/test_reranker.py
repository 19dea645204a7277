"""The sequence-classification reranker on tiny models."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from rr_harness.errors import BadInput, RRHarnessError
from rr_harness.pools import Journal
from rr_harness.records import Candidate, Pool, Problem
from rr_harness.reranking import loading, score_pools
from rr_harness.reranking.reranker import SequenceClassificationReranker
from tests.models import EOS, PAD, make_tiny_generator, make_tiny_reranker

torch.set_num_threads(1)

PROBLEM = Problem("add", "py", "def add(a, b):\n")
TEXTS = [
    "    return a + b\n",
    "",
    "    return b",
    f"    return a{PAD}",  # ends in the very token that the model pools by
    f"    return a{EOS}",
    "    best = a\n    for x in (a, b):\n        best = x\n    return best\n",
    PAD,
]
ARCHITECTURES = ["llama", "qwen2", "gpt2", "bert"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("rerankers")
    # The window shapes the random weights; with this one all scores differ by more than 0.001.
    return {
        name: make_tiny_reranker(root / name, architecture=name, window=512)
        for name in ARCHITECTURES
    }


def open_reranker(folder: Path, **options: Any) -> SequenceClassificationReranker:
    return SequenceClassificationReranker(str(folder), device="cpu", **options)


def naive(folder: Path, prompt: str, text: str) -> float:
    """One unpadded forward pass; pooling of a decoder done here, at the last token."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        if tokenizer.cls_token is not None:
            return model(**tokenizer(prompt, text, return_tensors="pt")).logits.item()
        ids = tokenizer(prompt).input_ids + tokenizer(text, add_special_tokens=False).input_ids
        hidden = model.base_model(torch.tensor([ids])).last_hidden_state
        return model.score(hidden[0, -1]).item()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_scores_are_those_of_naive_passes(models: dict[str, Path], architecture: str) -> None:
    folder = models[architecture]
    scores = open_reranker(folder, batch_size=4).score(PROBLEM, TEXTS)
    assert scores == pytest.approx([naive(folder, PROBLEM.prompt, t) for t in TEXTS], abs=1e-4)
    assert len({round(score, 3) for score in scores}) == len(TEXTS)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_batching_does_not_change_scores(
    models: dict[str, Path], architecture: str, batch_size: int
) -> None:
    reranker = open_reranker(models[architecture], batch_size=batch_size)
    alone = [reranker.score(PROBLEM, [text])[0] for text in TEXTS]
    assert reranker.score(PROBLEM, TEXTS) == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_configuration_without_pad_is_scored_right(tmp_path: Path, architecture: str) -> None:
    folder = make_tiny_reranker(tmp_path, architecture=architecture, pad=False)
    expected = [naive(folder, PROBLEM.prompt, text) for text in TEXTS]
    assert open_reranker(folder).score(PROBLEM, TEXTS) == pytest.approx(expected, abs=1e-4)


def test_prompt_and_text_are_tokenised_apart(models: dict[str, Path]) -> None:
    reranker = open_reranker(models["llama"])
    tokenizer = reranker._checkpoint.tokenizer
    (encoded,) = reranker._encode([("retu", "rn")])
    parts = [tokenizer(part, add_special_tokens=False).input_ids for part in ("retu", "rn")]
    assert encoded["input_ids"] == [tokenizer.bos_token_id, *parts[0], *parts[1]]


def test_equal_texts_are_scored_once(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    reranker = open_reranker(models["llama"])
    forward, rows = reranker._forward, []
    monkeypatch.setattr(reranker, "_forward", lambda batch: rows.extend(batch) or forward(batch))
    scores = reranker.score(PROBLEM, ["a", "b", "a", "a"])
    assert len(rows) == 2
    assert scores[0] == scores[2] == scores[3] != scores[1]


def test_same_text_under_two_prompts_has_two_scores(models: dict[str, Path]) -> None:
    other = replace(PROBLEM, name="other", prompt="def largest(xs):\n")
    pools = [Pool(problem, (Candidate("    return 0\n"),)) for problem in (PROBLEM, other)]
    first, second = open_reranker(models["llama"]).score_pools(pools)
    assert first.candidates[0].scores != second.candidates[0].scores


def test_pools_keep_their_other_scores(models: dict[str, Path]) -> None:
    pool = Pool(PROBLEM, tuple(Candidate(text, scores={"old": 1.0}) for text in TEXTS))
    (scored,) = open_reranker(models["llama"]).score_pools([pool])
    assert [set(c.scores) for c in scored.candidates] == [{"old", "llama"}] * len(TEXTS)
    assert [c.completion for c in scored.candidates] == TEXTS


def test_batches_are_sorted_by_length_over_all_pools(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    reranker = open_reranker(models["llama"], batch_size=2)
    forward, lengths = reranker._forward, []

    def record(batch: Any) -> list[float]:
        lengths.extend(len(fields["input_ids"]) for fields in batch)
        return forward(batch)

    monkeypatch.setattr(reranker, "_forward", record)
    pools = [
        Pool(replace(PROBLEM, name=name), tuple(Candidate(name + t) for t in TEXTS))
        for name in "ab"
    ]
    reranker.score_pools(pools)
    assert lengths == sorted(lengths, reverse=True)


def test_empty_pool_and_no_pools(models: dict[str, Path]) -> None:
    reranker = open_reranker(models["llama"])
    assert reranker.score(PROBLEM, []) == []
    assert reranker.score_pools([Pool(PROBLEM, ())]) == [Pool(PROBLEM, ())]


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "bert"])
def test_long_input_loses_the_beginning_of_the_prompt_on_record(
    tmp_path: Path, architecture: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_tiny_reranker(tmp_path / "m", architecture=architecture, window=24)
    reranker = open_reranker(folder)
    short = replace(PROBLEM, prompt="xy")
    long = replace(PROBLEM, prompt="?" * 200 + "xy")
    text = "z" * (24 - len(reranker._checkpoint.tokenizer("x", "y").input_ids))
    assert reranker.score(long, [text]) == pytest.approx(reranker.score(short, [text]), abs=1e-5)
    (record,) = caplog.records
    assert "1 of 1 texts are longer than the 24 tokens" in record.message


def test_long_text_loses_its_beginning_after_the_prompt(tmp_path: Path) -> None:
    reranker = open_reranker(make_tiny_reranker(tmp_path / "m", window=24))
    (encoded,) = reranker._encode([("xy", "?" * 50 + "z" * 23)])
    tokenizer = reranker._checkpoint.tokenizer
    expected = tokenizer("z" * 23, add_special_tokens=False).input_ids
    assert encoded["input_ids"] == [tokenizer.bos_token_id, *expected]


def test_name_is_the_last_part_of_the_path(models: dict[str, Path]) -> None:
    assert open_reranker(models["gpt2"]).name == "gpt2"


def test_other_number_of_labels_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_reranker(tmp_path, labels=3)
    with pytest.raises(
        BadInput, match=r"has 3 labels .*LlamaForSequenceClassification.*expected 1"
    ):
        open_reranker(folder)


def test_language_model_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_generator(tmp_path)
    with pytest.raises(BadInput, match="LlamaForCausalLM"):
        open_reranker(folder)


def test_untrained_head_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_generator(tmp_path)
    config = transformers.AutoConfig.from_pretrained(folder)
    config.num_labels = 1
    config.save_pretrained(folder)
    with pytest.raises(BadInput, match=r"no weights for score\.weight.*would be random"):
        open_reranker(folder).score(PROBLEM, TEXTS)


def test_score_that_is_not_finite_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(models["llama"], tmp_path, dirs_exist_ok=True)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    torch.nn.init.constant_(model.score.weight, torch.nan)
    model.save_pretrained(tmp_path)
    with pytest.raises(RRHarnessError, match="scored a candidate of problem 'add' nan in float32"):
        open_reranker(tmp_path).score(PROBLEM, TEXTS)


def test_out_of_memory_says_to_lower_the_batch_size(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhaust(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(transformers.LlamaForSequenceClassification, "forward", exhaust)
    with pytest.raises(RRHarnessError, match=r"lower batch_size \(now 16\)"):
        open_reranker(models["llama"]).score(PROBLEM, TEXTS)


def test_stage_resumes(models: dict[str, Path], tmp_path: Path) -> None:
    pools = [Pool(replace(PROBLEM, name=str(n)), (Candidate("x" * n),)) for n in range(3)]
    reranker = open_reranker(models["llama"])
    with Journal(tmp_path / "scored.jsonl", {}) as journal:
        whole = score_pools(reranker, pools, journal)
    monkey = open_reranker(models["gpt2"])  # would give other scores under another name
    with Journal(tmp_path / "scored.jsonl", {}) as journal:
        assert score_pools(monkey, pools, journal) == whole


def test_reranker_is_found_by_name(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def load(kind: str, name: str) -> Any:
        asked.append(name)
        return SequenceClassificationReranker

    monkeypatch.setattr(loading, "load", load)
    monkeypatch.setattr(loading, "names", lambda kind: {"huggingface": None, "mine": None})
    assert loading.open_reranker(str(models["llama"]), device="cpu").name == "llama"
    assert loading.open_reranker(f"mine:{models['gpt2']}", device="cpu").name == "gpt2"
    assert asked == ["huggingface", "mine"]
