"""Score candidates with a sequence classifier of one label: a reward model for code."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from rr_harness.errors import BadInput, RRHarnessError
from rr_harness.generation.checkpoint import Checkpoint, explain_out_of_memory
from rr_harness.records import Pool, Problem

logger = logging.getLogger(__name__)

_Encoded = dict[str, list[int]]


class SequenceClassificationReranker:
    """Any ``AutoModelForSequenceClassification`` with one label; the score is its raw logit.

    The model reads prompt and text, tokenised apart so that no token spans the seam, as in
    training. A decoder reads BOS (if its tokenizer adds one), prompt, text; an encoder reads the
    pair as its tokenizer frames it. A candidate of form ``program`` is read the same way: the
    prompt, then the program. What is too long for the model loses the beginning of the prompt,
    then of the text; the log says how many.

    Attributes:
        name: the last part of the model's name; scores are stored under it.

    Not handled: encoder-decoder models, models that need a chat template around the text.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str | None = None,
        dtype: str = "auto",
        batch_size: int = 16,
    ) -> None:
        """Open a reranker; its weights are loaded at first use.

        Args:
            model: a folder written by ``save_pretrained``, or a hub name.
            device: None picks a GPU where there is one.
            dtype: ``auto`` (the checkpoint's), ``float32``, ``bfloat16`` or ``float16``.
            batch_size: texts scored at once.

        Raises:
            BadInput: a bad value, no such model, or a model with another number of labels.
        """
        if batch_size < 1:
            raise BadInput(f"batch_size is {batch_size}; give at least 1")
        self._checkpoint = Checkpoint(model, f"reranker {model!r}", device, dtype)
        self._batch_size = batch_size
        self.name = Path(model).expanduser().resolve().name
        labels = self._checkpoint.config.num_labels
        if labels != 1:
            kinds = ", ".join(self._checkpoint.config.architectures or ()) or "unknown"
            raise BadInput(
                f"reranker {model!r} has {labels} labels (architecture: {kinds}), expected 1; "
                "give a reward model, that is a sequence classifier with num_labels=1"
            )

    def describe(self) -> dict[str, Any]:
        """Return what decides the scores."""
        return {"model": self._checkpoint.model, "dtype": self._checkpoint.dtype}

    def fingerprint(self) -> str:
        """Return the identity of the checkpoint."""
        return self._checkpoint.fingerprint()

    def score(self, problem: Problem, completions: Sequence[str]) -> list[float]:
        """Score the completions of one problem; the same text gets the same score.

        Args:
            problem: its prompt is read before each text.
            completions: completions, or whole programs.

        Returns:
            Raw logits, higher is better.

        Raises:
            RRHarnessError: a score that is not finite, or out of memory.
        """
        return self._score([(problem, text) for text in completions])

    def score_pools(self, pools: Sequence[Pool]) -> list[Pool]:
        """Return the pools with this reranker's score for every candidate.

        Batches are sorted by length over all pools, so little is padded.
        """
        texts = [(pool.problem, item.completion) for pool in pools for item in pool.candidates]
        scores = iter(self._score(texts))
        return [
            pool.with_candidates(
                tuple(item.with_score(self.name, next(scores)) for item in pool.candidates)
            )
            for pool in pools
        ]

    def _score(self, texts: Sequence[tuple[Problem, str]]) -> list[float]:
        """Score (problem, text) pairs, each distinct (prompt, text) once."""
        owners = {(problem.prompt, text): problem for problem, text in texts}
        inputs = self._encode(list(owners))
        distinct = list(zip(owners, inputs, strict=True))
        distinct.sort(key=lambda entry: len(entry[1]["input_ids"]), reverse=True)
        scores: dict[tuple[str, str], float] = {}
        for start in range(0, len(distinct), self._batch_size):
            batch = distinct[start : start + self._batch_size]
            logits = self._forward([encoded for _, encoded in batch])
            for (key, _), score in zip(batch, logits, strict=True):
                if not math.isfinite(score):
                    raise RRHarnessError(
                        f"reranker {self._checkpoint.model!r} scored a candidate of problem "
                        f"{owners[key].name!r} {score} in {self._checkpoint.dtype}; "
                        "try dtype float32, or check the checkpoint"
                    )
                scores[key] = score
        return [scores[problem.prompt, text] for problem, text in texts]

    def _encode(self, pairs: Sequence[tuple[str, str]]) -> list[_Encoded]:
        """Tokenise (prompt, text) pairs and cut those that are too long, on record."""
        window = self._checkpoint.window
        encoded = [
            self._encode_pair(prompt, text)
            if self._checkpoint.is_encoder
            else self._encode_joined(prompt, text)
            for prompt, text in pairs
        ]
        lengths = [len(places) for _, places in encoded]
        if window is not None and (cut := sum(length > window for length in lengths)):
            logger.warning(
                "%d of %d texts are longer than the %d tokens reranker %s reads (longest: %d); "
                "they lose the beginning of the prompt",
                cut,
                len(lengths),
                window,
                self.name,
                max(lengths),
            )
        return [_shorten(fields, places, window) for fields, places in encoded]

    def _encode_joined(self, prompt: str, text: str) -> tuple[_Encoded, list[int | None]]:
        """Return the fields of a decoder's input, and the part that each token is of."""
        whole = self._checkpoint.encode(prompt, start=True)
        special = len(whole) - len(self._checkpoint.encode(prompt))
        tail = self._checkpoint.encode(text)
        places = [None] * special + [0] * (len(whole) - special) + [1] * len(tail)
        if not places:
            raise BadInput("a candidate with an empty prompt and an empty text cannot be scored")
        return {"input_ids": whole + tail}, places

    def _encode_pair(self, prompt: str, text: str) -> tuple[_Encoded, list[int | None]]:
        """Return the fields of an encoder's input, and the part that each token is of."""
        pair = self._checkpoint.tokenizer(prompt, text)
        fields = {name: list(ids) for name, ids in pair.items() if name != "attention_mask"}
        return fields, pair.sequence_ids(0)

    @cached_property
    def _model(self) -> Any:
        import transformers

        model, report = self._checkpoint.load(transformers.AutoModelForSequenceClassification)
        if missing := sorted(report["missing_keys"]):
            raise BadInput(
                f"reranker {self._checkpoint.model!r} was not trained as one: it has no weights "
                f"for {', '.join(missing[:3])}, they would be random; give a trained reward model"
            )
        return model

    def _forward(self, batch: Sequence[_Encoded]) -> list[float]:
        """Return the logits of one batch, padded on the right."""
        import torch

        model = self._model
        rows = [fields["input_ids"] for fields in batch]
        pad = self._pad([row[-1] for row in rows])
        width = max(map(len, rows))
        tensors = {
            name: torch.tensor(
                [
                    fields[name] + [pad if name == "input_ids" else 0] * (width - len(fields[name]))
                    for fields in batch
                ],
                device=model.device,
            )
            for name in batch[0]
        }
        mask = [[1] * len(row) + [0] * (width - len(row)) for row in rows]
        tensors["attention_mask"] = torch.tensor(mask, device=model.device)
        with (
            torch.inference_mode(),
            explain_out_of_memory(f"lower batch_size (now {self._batch_size})"),
        ):
            scores: list[float] = model(**tensors).logits[:, 0].float().tolist()
        return scores

    def _pad(self, last: Sequence[int]) -> int:
        """Return the id to pad a batch with whose rows end in the ids ``last``.

        A decoder pools at the last token that is not ``config.pad_token_id``. A row that really
        ends in that id, or a configuration without one, is pooled at the wrong place without a
        word; so a decoder gets, batch by batch, an id that no row ends in. An encoder pools at
        CLS, and some (RoBERTa) count positions by their own PAD: it keeps that.
        """
        text_config = self._model.config.get_text_config()
        own = text_config.pad_token_id
        if self._checkpoint.is_encoder and own is not None:
            return int(own)
        if own is None or own in last:
            own = next(token for token in range(len(last) + 1) if token not in last)
            text_config.pad_token_id = own
            self._model.config.pad_token_id = own
        return int(own)


def _shorten(fields: _Encoded, places: Sequence[int | None], window: int | None) -> _Encoded:
    """Drop tokens from the beginning of the prompt, then of the text, until the window holds."""
    over = 0 if window is None else max(0, len(places) - window)
    prompt = [at for at, place in enumerate(places) if place == 0]
    text = [at for at, place in enumerate(places) if place == 1]
    dropped = set((prompt + text)[:over])
    return {
        name: [token for at, token in enumerate(ids) if at not in dropped]
        for name, ids in fields.items()
    }
