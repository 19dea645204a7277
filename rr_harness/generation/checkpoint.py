"""Open a transformers checkpoint: a local folder or a hub name, with errors a user can act on.

Used by the generator and the reranker. torch and transformers are imported inside functions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rr_harness.errors import BadInput, MissingExtra, RRHarnessError, unknown_name

DTYPES = ("auto", "float32", "bfloat16", "float16")
_IDENTITY = (  # the files of a folder that decide what a model answers
    "config.json",
    "generation_config.json",
    "*token*",
    "vocab*",
    "merges.txt",
    "chat_template*",
    "*.model",
    "*.safetensors*",
    "pytorch_model*",
)
_WHOLE = 64 * 2**20
_BLOCKS, _BLOCK = 256, 64 * 2**10


class Checkpoint:
    """A model on disk or on the hub, with its configuration and tokenizer; weights not loaded yet.

    Attributes:
        model: the name the user gave.
        device: where the weights go, for example ``cuda``.
        dtype: of the weights, for example ``bfloat16``; ``auto`` is resolved.
        config: the transformers configuration.
        tokenizer: the transformers tokenizer.
    """

    def __init__(self, model: str, feature: str, device: str | None, dtype: str) -> None:
        """Open a checkpoint.

        Args:
            model: a folder written by ``save_pretrained``, or a hub name.
            feature: what is asked for, named if packages are missing.
            device: None picks ``cuda`` where there is one, else ``cpu``.
            dtype: one of ``DTYPES``; ``auto`` takes the checkpoint's own.

        Raises:
            MissingExtra: torch or transformers is not installed.
            BadInput: no such model, an unreachable hub, a bad device or dtype.
        """
        try:
            import torch
            import transformers
        except ImportError:
            raise MissingExtra(feature, "lm-eval") from None
        if dtype not in DTYPES:
            raise unknown_name("dtype", dtype, DTYPES)
        self.model = model
        self.device = _device(torch, device)
        self._place = _place(model)
        self.config: Any = self._load(transformers.AutoConfig)
        self.tokenizer: Any = self._load(transformers.AutoTokenizer)
        own = str(getattr(self.config, "dtype", None) or "float32")
        self.dtype = own.removeprefix("torch.") if dtype == "auto" else dtype

    def _load(self, auto_class: Any, **options: Any) -> Any:
        try:
            return auto_class.from_pretrained(self._place, **options)
        # transformers raises whatever its parts raise: OSError, ValueError, KeyError,
        # SafetensorError, httpx errors, ...; a user needs one line.
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise BadInput(
                f"cannot load model {self.model!r}: {reason.rstrip('.')}; give a folder written by "
                "save_pretrained, or a hub name that this machine has or can reach"
            ) from error

    def load(self, auto_class: Any) -> tuple[Any, dict[str, Any]]:
        """Load the weights.

        Args:
            auto_class: for example ``transformers.AutoModelForCausalLM``.

        Returns:
            The model, in evaluation mode on its device, and transformers' loading report.
        """
        import torch

        with explain_out_of_memory(f"model {self.model!r} in {self.dtype} does not fit"):
            model, report = self._load(
                auto_class, dtype=getattr(torch, self.dtype), output_loading_info=True
            )
            return model.to(self.device).eval(), report

    @property
    def window(self) -> int | None:
        """The most tokens the model can read, or None where it has no limit."""
        text_config = self.config.get_text_config()
        limits = (
            getattr(text_config, "max_position_embeddings", None),
            # RoBERTa has two positions it cannot use; its tokenizer knows. 1e30 means unknown.
            self.tokenizer.model_max_length if self.is_encoder else None,
        )
        known = [int(limit) for limit in limits if limit is not None and 0 < limit < 1e9]
        return min(known, default=None)

    @property
    def is_encoder(self) -> bool:
        """Whether the tokenizer frames a text in CLS and SEP, like BERT's."""
        cls, sep = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        ids = self.tokenizer("").input_ids
        return cls is not None and sep is not None and ids[:1] == [cls] and ids[-1:] == [sep]

    def encode(self, text: str, *, start: bool = False) -> list[int]:
        """Return the token ids of a text without special tokens.

        Args:
            text: the text.
            start: put BOS before it if the tokenizer does that by itself. An EOS that some
                tokenizers put behind it is never wanted: the text goes on.
        """
        ids: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        bos = self.tokenizer.bos_token_id
        # A chat template may have written BOS into the text already.
        has_bos = bos is None or ids[:1] == [bos]
        if start and not has_bos and self.tokenizer("").input_ids[:1] == [bos]:
            return [bos, *ids]
        return ids

    def fingerprint(self) -> str:
        """Return the identity of configuration, tokenizer and weights.

        For a hub name it is the commit. For a folder: SHA-256 over names, sizes and bytes, where a
        file above 64 MiB counts by 256 blocks of 64 KiB spread over it. The headers of two
        checkpoints of one architecture are the same, so headers and sizes alone would miss
        retrained weights; a change of few weights between the blocks of a large file is missed.
        """
        folder = Path(self._place)
        if not folder.is_dir():
            return f"commit:{getattr(self.config, '_commit_hash', None)}"
        digest = hashlib.sha256()
        files = {path for pattern in _IDENTITY for path in folder.glob(pattern) if path.is_file()}
        for path in sorted(files):
            size = path.stat().st_size
            digest.update(f"{path.name}\0{size}\0".encode())
            with path.open("rb") as stream:
                if size <= _WHOLE:
                    digest.update(stream.read())
                else:
                    for index in range(_BLOCKS):
                        stream.seek((size - _BLOCK) * index // (_BLOCKS - 1))
                        digest.update(stream.read(_BLOCK))
        return f"sha256:{digest.hexdigest()}"


def _device(torch: Any, device: str | None) -> str:
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError:
        raise BadInput(f"device is {device!r}; give cpu, cuda or cuda:NUMBER") from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise BadInput(f"device is {device!r}, but torch sees no GPU; give cpu or nothing")
    return device


def _place(model: str) -> str:
    """Return what ``from_pretrained`` is given, refusing what can be neither folder nor name."""
    path = Path(model).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise BadInput(f"{model}: no config.json in this folder; expected a saved model")
        return str(path)
    if path.is_file():
        raise BadInput(f"{model}: is a file; expected a folder written by save_pretrained")
    if not model or model.startswith(("/", ".", "~")) or model.count("/") > 1:
        raise BadInput(f"model {model!r}: no such folder; check the path")
    return model


@contextmanager
def explain_out_of_memory(advice: str) -> Iterator[None]:
    """Turn torch's out-of-memory error into one line that says what to do."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise RRHarnessError(f"out of GPU memory; {advice}") from error
