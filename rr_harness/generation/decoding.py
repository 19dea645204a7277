"""What is hooked into ``model.generate``: the draw of each token, and where a completion ends.

Imports torch: import it inside functions.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

import torch

_MARGIN = 8


class Draw:
    """A logits processor that draws one token for each row and leaves greedy decoding no choice.

    transformers' own sampling takes its random numbers from one stream for the whole batch, so a
    candidate would change with its neighbours. Here each row brings its own numbers.

    Attributes:
        logprobs: for each step the log-probability of the drawn tokens, float64 [rows], at
            temperature 1 and without the nucleus cut: what the model itself thinks of them.
    """

    def __init__(
        self, uniforms: Sequence[Sequence[float]], temperature: float, top_p: float, start: int
    ) -> None:
        """Set up one call of ``generate``.

        Args:
            uniforms: [rows][steps] numbers in [0, 1).
            temperature: 0 takes the most probable token.
            top_p: mass of the nucleus.
            start: length of the padded prompts.
        """
        self._uniforms = torch.tensor(uniforms, dtype=torch.float64)
        self._temperature = temperature
        self._top_p = top_p
        self._start = start
        self.logprobs: list[Any] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Return ``scores`` [rows, vocabulary] with all but the drawn token at minus infinity."""
        logits = scores.double()
        if self._temperature == 0:
            tokens = logits.argmax(-1, keepdim=True)
        else:
            step = input_ids.shape[1] - self._start
            uniform = self._uniforms[:, step : step + 1].to(logits.device)
            tokens = draw(logits / self._temperature, self._top_p, uniform)
        self.logprobs.append(logits.log_softmax(-1).gather(-1, tokens).squeeze(-1))
        return torch.full_like(scores, -torch.inf).scatter(-1, tokens, 0.0)


def draw(logits: Any, top_p: float, uniform: Any) -> Any:
    """Draw by inverting the cumulative distribution over the nucleus.

    The nucleus (Holtzman et al. 2020, arXiv 1904.09751) needs the sorted order, the draw does not:
    it runs over the vocabulary in its fixed order. Rounding that swaps two tokens of nearly the
    same probability then moves the result with probability 1e-7, not with that of the tokens.

    Args:
        logits: float64 [rows, vocabulary], already divided by the temperature.
        top_p: mass of the nucleus.
        uniform: float64 [rows, 1] in [0, 1).

    Returns:
        Token ids [rows, 1].
    """
    probabilities = logits.softmax(-1)
    ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    nucleus = torch.zeros_like(ordered).scatter(-1, order, ordered.where(before < top_p, 0.0))
    cumulative = nucleus.cumsum(-1)
    tokens = torch.searchsorted(cumulative, uniform * cumulative[:, -1:], right=True)
    # NaN logits lead past the end; the caller finds them in the log-probabilities.
    return tokens.clamp(max=logits.shape[-1] - 1)


class End:
    """A stopping criterion that finds where each row ends: at EOS, or with a stop token complete.

    It reads the last tokens alone, as many as the longest stop token has bytes and a few more: a
    token that is not special is at least one byte. Whether a row has ended is decided as it grows,
    never by what came after, so it is the same in every batch: a later byte can turn the text of
    earlier ones into U+FFFD.

    Attributes:
        lengths: generated tokens of each row up to and including the one that ended it, or None.
    """

    def __init__(
        self, tokenizer: Any, stops: Sequence[Sequence[str]], eos: Set[int], start: int
    ) -> None:
        """Set up one call of ``generate``.

        Args:
            tokenizer: decodes.
            stops: the stop tokens of each row.
            eos: ids that end a text.
            start: length of the padded prompts.
        """
        self._tokenizer = tokenizer
        self._stops = stops
        self._eos = eos
        self._start = start
        self._window = _MARGIN + max((len(s.encode()) for row in stops for s in row), default=0)
        self.lengths: list[int | None] = [None] * len(stops)

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """Return bool [rows]: the rows that have ended."""
        width = input_ids.shape[1]
        window = max(self._start, width - self._window)
        context = max(0, window - _MARGIN)
        tails = input_ids[:, context:].tolist()
        for row, tail in enumerate(tails):
            if self.lengths[row] is None and (
                tail[-1] in self._eos or self._stopped(row, tail, window - context)
            ):
                self.lengths[row] = width - self._start
        return torch.tensor(
            [length is not None for length in self.lengths], device=input_ids.device
        )

    def _stopped(self, row: int, tail: list[int], before: int) -> bool:
        stops = self._stops[row]
        if not stops:
            return False
        return _first(stops, added(self._tokenizer, tail[:before], tail[before:])) is not None


def added(tokenizer: Any, before: Sequence[int], ids: Sequence[int]) -> str:
    """Return what ``ids`` add to the text of the ids before them.

    Decoded alone they could lose a space: SentencePiece-like tokenizers drop one at the start of a
    text. Special tokens have no text.
    """
    texts = [
        tokenizer.decode(row, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        for row in (before, [*before, *ids])
    ]
    return str(texts[1][len(texts[0]) :])


def _first(stops: Sequence[str], text: str) -> int | None:
    """Return where the first of the stop tokens begins, or None."""
    return min((at for stop in stops if (at := text.find(stop)) >= 0), default=None)


def cut(text: str, stops: Sequence[str]) -> str:
    """Cut a text before the stop token that begins first."""
    return text[: _first(stops, text)]
