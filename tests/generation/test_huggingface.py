"""The transformers generator on tiny models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from rr_harness.errors import BadInput, RRHarnessError
from rr_harness.generation import Sampling, decoding
from rr_harness.generation.huggingface import HuggingFaceGenerator
from rr_harness.records import Candidate, Pool, pool_to_json
from tests.generation.conftest import ADD, PROBLEMS
from tests.models import make_tiny_generator

SAMPLING = Sampling(n=4, max_new_tokens=24)
GREEDY = Sampling(n=1, temperature=0, max_new_tokens=24)


def draw(folder: Path, sampling: Sampling = SAMPLING, **options: Any) -> list[Pool]:
    return HuggingFaceGenerator(str(folder), device="cpu", **options).generate(PROBLEMS, sampling)


def same(ours: Candidate, theirs: Candidate) -> bool:
    """Equal but for the rounding that padding brings."""
    return (
        ours.completion == theirs.completion
        and ours.n_tokens == theirs.n_tokens
        and ours.logprob == pytest.approx(theirs.logprob, abs=1e-5)
    )


def all_same(ours: list[Pool], theirs: list[Pool]) -> bool:
    return all(
        same(*pair)
        for a, b in zip(ours, theirs, strict=True)
        for pair in zip(a.candidates, b.candidates, strict=False)
    )


def test_two_runs_give_the_same_bytes(tiny: Path) -> None:
    first, second = draw(tiny), draw(tiny)
    assert json.dumps([*map(pool_to_json, first)]) == json.dumps([*map(pool_to_json, second)])


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "qwen2"])
def test_candidate_does_not_depend_on_batch_size_or_n(tmp_path: Path, architecture: str) -> None:
    folder = make_tiny_generator(tmp_path, architecture=architecture)
    alone = draw(folder, batch_size=1)
    assert all_same(alone, draw(folder, batch_size=8))
    assert all_same(alone, draw(folder, replace(SAMPLING, n=10), batch_size=7))


def test_candidate_does_not_depend_on_the_other_problems(tiny: Path) -> None:
    generator = HuggingFaceGenerator(str(tiny), device="cpu")
    assert all_same(generator.generate(PROBLEMS[1:2], SAMPLING), draw(tiny)[1:2])


def test_candidates_differ_by_index_and_seed(tiny: Path) -> None:
    texts = [c.completion for c in draw(tiny)[0].candidates]
    texts += [c.completion for c in draw(tiny, replace(SAMPLING, seed=1))[0].candidates]
    assert len(set(texts)) == 8


def test_greedy_is_that_of_transformers(tiny: Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    for pool in draw(tiny, GREEDY)[::2]:  # those without stop tokens
        inputs = tokenizer(pool.problem.prompt, return_tensors="pt")
        ids = model.generate(**inputs, do_sample=False, max_new_tokens=24)[0]
        whole = tokenizer.decode(ids, skip_special_tokens=True)
        assert whole == pool.problem.prompt + pool.candidates[0].completion


def test_logprob_is_that_of_a_separate_forward_pass(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[tuple[list[int], list[int]]] = []
    added: Callable[..., str] = decoding.added

    def record(tokenizer: Any, before: list[int], ids: list[int]) -> str:
        if before[:1] == [tokenizer.bos_token_id]:  # not a window of the stop tokens
            rows.append((before, ids))  # without EOS
        return added(tokenizer, before, ids)

    monkeypatch.setattr(decoding, "added", record)
    candidates = [c for pool in draw(tiny) for c in pool.candidates]
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny)
    for candidate, (prompt, ids) in zip(candidates, rows[-len(candidates) :], strict=True):
        with torch.inference_mode():
            logits = model(torch.tensor([[*prompt, *ids]])).logits[0].double()
        logprobs = logits.log_softmax(-1)[range(len(prompt) - 1, len(prompt) + len(ids) - 1), ids]
        assert candidate.logprob == pytest.approx(logprobs.mean().item(), abs=1e-5)
        assert candidate.n_tokens == len(ids)


def test_eos_ends_the_completion_and_counts_as_a_token(parrot: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(parrot)
    (candidate,) = draw(parrot, GREEDY)[0].candidates
    assert candidate.completion == "    return a + b\n# Return the sum\n"
    ids = tokenizer(candidate.completion, add_special_tokens=False).input_ids
    assert candidate.n_tokens == len(ids) + 1
    assert candidate.logprob is not None
    assert -0.5 < candidate.logprob < 0


def test_stop_token_cuts_exactly(parrot: Path) -> None:
    generator = HuggingFaceGenerator(str(parrot), device="cpu")
    problem = replace(ADD, stop_tokens=("Return", "\n#"))
    (pool,) = generator.generate([problem], GREEDY)
    assert pool.candidates[0].completion == "    return a + b"


def test_leading_space_survives_a_sentencepiece_tokenizer(spaced_parrot: Path) -> None:
    generator = HuggingFaceGenerator(str(spaced_parrot), device="cpu")
    (pool,) = generator.generate([replace(ADD, prompt="def add(a, b):")], GREEDY)
    assert pool.candidates[0].completion == " return a + b\n"


def changed(folder: Path, target: Path, file: str, **values: Any) -> Path:
    """Copy a model with other values in one of its JSON files."""
    shutil.copytree(folder, target, dirs_exist_ok=True)
    path = target / file
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return target


def test_generation_config_of_the_checkpoint_is_not_applied(tiny: Path, tmp_path: Path) -> None:
    odd = {"repetition_penalty": 9.0, "top_k": 1, "temperature": 0.1, "max_length": 3}
    folder = changed(
        tiny, tmp_path, "generation_config.json", **odd, do_sample=True, suppress_tokens=[9, 10]
    )
    assert all_same(draw(folder), draw(tiny))


def test_all_end_of_text_tokens_of_the_checkpoint_count(parrot: Path, tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(parrot)
    (newline,) = tokenizer("\n", add_special_tokens=False).input_ids
    folder = changed(parrot, tmp_path, "generation_config.json", eos_token_id=[1, newline])
    generator = HuggingFaceGenerator(str(folder), device="cpu")
    (pool,) = generator.generate([ADD], GREEDY)
    assert pool.candidates[0].completion == "    return a + b"


def test_pad_equal_to_eos_changes_nothing(tiny: Path, tmp_path: Path) -> None:
    folder = changed(tiny, tmp_path, "tokenizer_config.json", pad_token="</s>")
    assert all_same(draw(folder), draw(tiny))


def test_pool_says_how_it_was_drawn(tiny: Path) -> None:
    facts = draw(tiny)[0].generator
    assert facts["model"] == str(tiny)
    assert facts["dtype"] == "float32"
    assert (facts["temperature"], facts["seed"]) == (0.8, 0)
    assert "batch_size" not in facts  # a run that ran out of memory is resumed with a smaller one


def test_nothing_is_printed_but_progress(tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
    draw(tiny)
    assert "[transformers]" not in capfd.readouterr().err


@pytest.mark.parametrize(("n", "expected"), [(1, 16), (4, 4), (10, 1), (50, 1)])
def test_problems_per_call_fill_a_batch(tiny: Path, n: int, expected: int) -> None:
    generator = HuggingFaceGenerator(str(tiny), device="cpu", batch_size=16)
    assert generator.problems_per_call(Sampling(n=n)) == expected


# --- context window ------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def narrow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("narrow")
    return make_tiny_generator(folder, architecture=request.param, window=40)


def test_prompt_beyond_the_window_is_refused_with_numbers(narrow: Path) -> None:
    generator = HuggingFaceGenerator(str(narrow), device="cpu")
    long = replace(ADD, name="long", prompt="x" * 60)
    with pytest.raises(BadInput, match=r"'long': its prompt has 6\d tokens, the model reads 40"):
        generator.generate([ADD, long], SAMPLING)


def test_little_room_is_logged_once_and_kept(
    narrow: Path, caplog: pytest.LogCaptureFixture
) -> None:
    generator = HuggingFaceGenerator(str(narrow), device="cpu")
    tight = [replace(ADD, name=f"tight{n}", prompt="x" * (33 + n)) for n in range(2)]
    pools = generator.generate([ADD, *tight], SAMPLING)
    assert [record.message.partition(":")[0] for record in caplog.records] == ["problem tight0"]
    assert all(c.n_tokens and c.n_tokens <= 7 for pool in pools[1:] for c in pool.candidates)
    assert all_same(pools[:1], generator.generate([ADD], SAMPLING))


def test_empty_prompt_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_generator(tmp_path, architecture="gpt2")  # no BOS
    generator = HuggingFaceGenerator(str(folder), device="cpu")
    with pytest.raises(BadInput, match="'add' has an empty prompt"):
        generator.generate([replace(ADD, prompt="")], SAMPLING)


# --- chat ----------------------------------------------------------------------------------


def test_chat_needs_a_template(tiny: Path) -> None:
    with pytest.raises(BadInput, match="has no chat template; use it without chat"):
        HuggingFaceGenerator(str(tiny), chat=True)


def test_chat_asks_through_the_template_and_keeps_the_reply(parrot: Path) -> None:
    generator = HuggingFaceGenerator(str(parrot), device="cpu", chat=True)
    stopping = replace(ADD, stop_tokens=("\n", " ", "e"))
    (pool,) = generator.generate([stopping], Sampling(n=2, max_new_tokens=30))
    assert pool.generator["chat"] is True
    for candidate in pool.candidates:
        assert candidate.n_tokens == 30 or len(candidate.extra["reply"]) > 1
        assert candidate.logprob is not None


def test_chat_prompt_has_one_bos(parrot: Path) -> None:
    generator = HuggingFaceGenerator(str(parrot), device="cpu", chat=True)
    text = generator.tokenizer.decode(generator._encode(ADD))
    assert text.startswith("<|user|>")
    assert text.endswith("<|assistant|>\n")


# --- failures ------------------------------------------------------------------------------


def test_numbers_that_are_not_finite_are_refused(tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny, tmp_path, dirs_exist_ok=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    torch.nn.init.constant_(model.lm_head.weight, torch.nan)
    model.save_pretrained(tmp_path)
    with pytest.raises(RRHarnessError, match=r"no finite probabilities .* try dtype float32"):
        draw(tmp_path)


def test_out_of_memory_says_to_lower_the_batch_size(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhaust(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(transformers.GenerationMixin, "generate", exhaust)
    with pytest.raises(RRHarnessError, match=r"lower batch_size \(now 5\)"):
        draw(tiny, batch_size=5)


def test_batch_size_must_be_positive(tiny: Path) -> None:
    with pytest.raises(BadInput, match="batch_size is 0; give at least 1"):
        HuggingFaceGenerator(str(tiny), batch_size=0)
