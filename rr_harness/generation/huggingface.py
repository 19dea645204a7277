"""Draw candidates with a causal language model of transformers."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any

from rr_harness.errors import BadInput, RRHarnessError
from rr_harness.generation import chat as chats
from rr_harness.generation.base import Sampling, uniforms
from rr_harness.generation.checkpoint import Checkpoint, explain_out_of_memory
from rr_harness.records import Candidate, Pool, Problem

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Row:
    """One candidate to draw: token ids of its prompt, and how many may follow."""

    problem: Problem
    index: int
    prompt: list[int]
    limit: int


class HuggingFaceGenerator:
    """Any ``AutoModelForCausalLM``; decoding is transformers' own ``generate``.

    A candidate depends on the model, the seed, its problem and its number alone; batch size and
    neighbours change it only by rounding, which is small in float32 and can flip a token in
    bfloat16. Two runs with the same settings on the same machine give the same bytes.

    A candidate's ``logprob`` is the mean over its ``n_tokens`` generated tokens, up to and
    including the one that ended it: EOS, or the token that completed a stop token. It is the
    model's own, at temperature 1 and without the nucleus cut. What the checkpoint's
    generation_config asks for (repetition penalty, top_k, ...) is not applied; only its end-of-text
    tokens are kept.

    Not handled: encoder-decoder models, models split over several devices, devices without
    float64 (mps).
    """

    def __init__(
        self,
        model: str,
        *,
        device: str | None = None,
        dtype: str = "auto",
        batch_size: int = 16,
        chat: bool = False,
    ) -> None:
        """Open a model; its weights are loaded at first use.

        Args:
            model: a folder written by ``save_pretrained``, or a hub name.
            device: None picks a GPU where there is one.
            dtype: ``auto`` (the checkpoint's), ``float32``, ``bfloat16`` or ``float16``.
            batch_size: candidates decoded at once.
            chat: ask through the model's chat template and take the program out of the reply.

        Raises:
            BadInput: a bad value, no such model, or a chat model without a chat template.
        """
        if batch_size < 1:
            raise BadInput(f"batch_size is {batch_size}; give at least 1")
        self._checkpoint = Checkpoint(model, f"generator {model!r}", device, dtype)
        self.tokenizer = self._checkpoint.tokenizer
        self._batch_size = batch_size
        self._chat = chat
        self._warned = False
        if chat and not self.tokenizer.chat_template:
            raise BadInput(f"model {model!r} has no chat template; use it without chat")

    def describe(self) -> dict[str, Any]:
        """Return what decides the candidates besides the sampling settings."""
        return {
            "backend": "huggingface",
            "model": self._checkpoint.model,
            "dtype": self._checkpoint.dtype,
            "chat": self._chat,
        }

    def fingerprint(self) -> str:
        """Return the identity of the checkpoint."""
        return self._checkpoint.fingerprint()

    def problems_per_call(self, sampling: Sampling) -> int:
        """Return the problems whose candidates fill one batch; at least one."""
        return max(1, self._batch_size // sampling.drawn)

    def generate(self, problems: Sequence[Problem], sampling: Sampling) -> list[Pool]:
        """Draw the candidates of the problems.

        Raises:
            BadInput: a prompt that does not fit the context window, or is empty.
            RRHarnessError: out of memory, or the model's output is not finite.
        """
        rows = [
            _Row(problem, index, prompt, limit)
            for problem, prompt, limit in self._prompts(problems, sampling)
            for index in range(sampling.drawn)
        ]
        candidates: list[Candidate] = []
        # Rows with another limit go into batches of their own: in one batch the shortest limit
        # would hold for all, and a candidate would depend on its neighbours.
        for _, same in groupby(rows, key=lambda row: row.limit):
            group = list(same)
            for start in range(0, len(group), self._batch_size):
                candidates += self._draw(group[start : start + self._batch_size], sampling)
        facts = {**self.describe(), **sampling.facts()}
        n = sampling.drawn
        return [
            Pool(problem, tuple(candidates[at * n : (at + 1) * n]), facts)
            for at, problem in enumerate(problems)
        ]

    def _prompts(
        self, problems: Sequence[Problem], sampling: Sampling
    ) -> Iterator[tuple[Problem, list[int], int]]:
        """Yield (problem, prompt ids, most new tokens), having checked every prompt first."""
        window = self._checkpoint.window
        prompts = [self._encode(problem) for problem in problems]
        for problem, prompt in zip(problems, prompts, strict=True):
            if not prompt:
                raise BadInput(f"problem {problem.name!r} has an empty prompt; nothing to complete")
            if window is not None and len(prompt) >= window:
                raise BadInput(
                    f"problem {problem.name!r}: its prompt has {len(prompt)} tokens, the model "
                    f"reads {window}; leave the problem out or use another model"
                )
        for problem, prompt in zip(problems, prompts, strict=True):
            room = sampling.max_new_tokens if window is None else window - len(prompt)
            if room < sampling.max_new_tokens and not self._warned:
                self._warned = True
                logger.warning(
                    "problem %s: %d tokens of prompt leave room for %d new tokens of %d asked for; "
                    "it and others like it are cut there",
                    problem.name,
                    len(prompt),
                    room,
                    sampling.max_new_tokens,
                )
            yield problem, prompt, min(room, sampling.max_new_tokens)

    def _encode(self, problem: Problem) -> list[int]:
        if not self._chat:
            return self._checkpoint.encode(problem.prompt, start=True)
        messages = [{"role": "user", "content": chats.instruction(problem)}]
        text = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        return self._checkpoint.encode(text)  # the template has its own BOS

    @cached_property
    def _loaded(self) -> tuple[Any, frozenset[int]]:
        """The model, and the ids that end a text."""
        import transformers

        model, _ = self._checkpoint.load(transformers.AutoModelForCausalLM)
        eos: set[int] = set()
        for source in (model.generation_config, model.config, self.tokenizer):
            ids = getattr(source, "eos_token_id", None)
            eos.update([ids] if isinstance(ids, int) else ids or ())
        # generate() fills what we leave unset from here: nothing else of it may reach the draw.
        model.generation_config = transformers.GenerationConfig()
        return model, frozenset(eos)

    def _draw(self, rows: list[_Row], sampling: Sampling) -> list[Candidate]:
        import torch

        from rr_harness.generation.decoding import Draw, End, added, cut

        width = max(len(row.prompt) for row in rows)
        model, eos = self._loaded
        stops = [() if self._chat else row.problem.stop_tokens for row in rows]
        numbers = [uniforms(row.problem, row.index, sampling)[: row.limit] for row in rows]
        processor = Draw(numbers, sampling.temperature, sampling.top_p, width)
        end = End(self.tokenizer, stops, eos, width)
        with (
            torch.inference_mode(),
            explain_out_of_memory(f"lower batch_size (now {self._batch_size})"),
        ):
            sequences = model.generate(
                **_padded(rows, width, model.device),
                generation_config=_settings(rows[0].limit, eos),
                logits_processor=[processor],
                stopping_criteria=[end],
            )
        generated = sequences[:, width:].tolist()
        logprobs = torch.stack(processor.logprobs, dim=1).tolist()
        drawn = []
        for at, row in enumerate(rows):
            ids, values = generated[at][: end.lengths[at]], logprobs[at][: end.lengths[at]]
            if ids[-1] in eos:  # not every EOS is marked as special, to be left out of the text
                ids = ids[:-1]
            text = cut(added(self.tokenizer, row.prompt, ids), stops[at])
            logprob = math.fsum(values) / len(values)
            if not math.isfinite(logprob):
                raise RRHarnessError(
                    f"model {self._checkpoint.model!r} gave no finite probabilities for problem "
                    f"{row.problem.name!r} in {self._checkpoint.dtype}; try dtype float32"
                )
            candidate = chats.extract(row.problem, text) if self._chat else Candidate(text)
            drawn.append(replace(candidate, logprob=logprob, n_tokens=len(values)))
        return drawn


def _padded(rows: list[_Row], width: int, device: Any) -> dict[str, Any]:
    """Return ids and mask, [rows, width], padded on the left: generation goes on at the end."""
    import torch

    ids = [[0] * (width - len(row.prompt)) + row.prompt for row in rows]
    mask = [[0] * (width - len(row.prompt)) + [1] * len(row.prompt) for row in rows]
    return {
        "input_ids": torch.tensor(ids, device=device),
        "attention_mask": torch.tensor(mask, device=device),
    }


def _settings(limit: int, eos: frozenset[int]) -> Any:
    import transformers

    return transformers.GenerationConfig(
        do_sample=False,
        max_new_tokens=limit,
        eos_token_id=sorted(eos) or None,
        # Any id will do: what follows the first EOS is never read.
        pad_token_id=min(eos, default=0),
        use_cache=True,
    )
