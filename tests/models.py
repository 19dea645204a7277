"""Tiny models for tests: real architectures and tokenizers, random or trained for seconds.

``python -m tests.models DIR`` makes DIR/generator and DIR/reranker.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

BOS, EOS, PAD = "<s>", "</s>", "<pad>"
CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
CORPUS = [
    "def add(a, b):\n    return a + b\n",
    "def largest(xs):\n    best = xs[0]\n    for x in xs:\n        if x > best:\n"
    "            best = x\n    return best\n",
    "long square(long n) {\n    return n * n;\n}\nint main() {\n    return 0;\n}\n",
    "function total(xs) {\n  let sum = 0;\n  for (const x of xs) { sum += x; }\n  return sum;\n}\n",
    "# Return the number of words in the text, é and ✓ included.\n",
]
_SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "initializer_range": 0.4,  # a random model must have opinions, or every test is a tie
}


def make_tokenizer(
    *, metaspace: bool = False, chat: bool = False, bos: bool = False, bert: bool = False
) -> Any:
    """Train a BPE tokenizer on a few lines of code.

    Args:
        metaspace: SentencePiece-like (words carry their space, a leading one is dropped in
            decoding) instead of byte-level.
        chat: with a chat template.
        bos: puts BOS before a text.
        bert: frames texts in CLS and SEP.
    """
    core = Tokenizer(models.BPE(byte_fallback=metaspace))
    special = [PAD, EOS, BOS]
    if metaspace:
        special += [f"<0x{byte:02X}>" for byte in range(256)]
        core.pre_tokenizer = pre_tokenizers.Metaspace()
        core.decoder = decoders.Sequence(
            [
                decoders.Replace("▁", " "),
                decoders.ByteFallback(),
                decoders.Fuse(),
                decoders.Strip(" ", 1, 0),
            ]
        )
        alphabet: list[str] = []
    else:
        core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        core.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=special[:3],
            initial_alphabet=alphabet,
            show_progress=False,
        ),
    )
    if metaspace:
        core.add_tokens(special[3:])
    if bos or bert:
        core.post_processor = processors.TemplateProcessing(
            single=f"{BOS} $A {EOS}" if bert else f"{BOS} $A",
            pair=f"{BOS} $A {EOS} $B:1 {EOS}:1" if bert else f"{BOS} $A $B:1",
            special_tokens=[(token, core.token_to_id(token)) for token in (BOS, EOS)],
        )
    names = {"pad_token": PAD, "eos_token": EOS, "bos_token": BOS}
    if bert:
        names = {"pad_token": PAD, "sep_token": EOS, "cls_token": BOS}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=core, **names)
    if chat:
        tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _config(architecture: str, tokenizer: Any, window: int, **more: Any) -> Any:
    ids = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": tokenizer.bos_token_id,
    }
    kinds = {
        "llama": transformers.LlamaConfig,
        "qwen2": transformers.Qwen2Config,
        "gpt2": transformers.GPT2Config,
        "bert": transformers.BertConfig,
    }
    wide = {} if architecture == "gpt2" else {"intermediate_size": 64}
    if architecture in ("llama", "qwen2"):
        wide["num_key_value_heads"] = 1
    return kinds[architecture](**_SIZES, **ids, **wide, max_position_embeddings=window, **more)


def make_tiny_generator(
    folder: Path | str,
    seed: int = 0,
    architecture: str = "llama",
    *,
    chat: bool = False,
    metaspace: bool = False,
    window: int = 2048,
    parrots: tuple[str, str] | None = None,
) -> Path:
    """Save a 2-layer causal language model.

    Args:
        folder: where to.
        seed: of the weights.
        architecture: ``llama``, ``qwen2`` or ``gpt2``.
        chat: with a chat template.
        metaspace: with a SentencePiece-like tokenizer.
        window: context window in tokens.
        parrots: (prompt, completion) to train it on for a second: after this prompt it writes
            this completion and then EOS. Without, it is random.
    """
    torch.manual_seed(seed)
    tokenizer = make_tokenizer(chat=chat, metaspace=metaspace, bos=architecture == "llama")
    config = _config(architecture, tokenizer, window)
    model = transformers.AutoModelForCausalLM.from_config(config)
    if parrots:
        _train(model, tokenizer, *parrots)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Path(folder)


def _train(model: Any, tokenizer: Any, prompt: str, completion: str, steps: int = 60) -> None:
    ids = tokenizer(prompt).input_ids
    ids += tokenizer(completion, add_special_tokens=False).input_ids  # apart, as when it writes
    ids.append(tokenizer.eos_token_id)
    batch = torch.tensor([ids])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(steps):
        loss = model(input_ids=batch, labels=batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()


def make_tiny_reranker(
    folder: Path | str,
    seed: int = 0,
    architecture: str = "llama",
    *,
    labels: int = 1,
    window: int = 2048,
    pad: bool = True,
) -> Path:
    """Save a 2-layer sequence classifier.

    Args:
        folder: where to.
        seed: of the weights.
        architecture: ``llama``, ``qwen2``, ``gpt2`` or ``bert``.
        labels: number of outputs.
        window: context window in tokens.
        pad: whether the configuration names a PAD token.
    """
    torch.manual_seed(seed)
    tokenizer = make_tokenizer(bos=architecture == "llama", bert=architecture == "bert")
    config = _config(architecture, tokenizer, window, num_labels=labels)
    if not pad:
        config.pad_token_id = None
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Path(folder)


if __name__ == "__main__":
    root = Path(sys.argv[1])
    make_tiny_generator(root / "generator")
    make_tiny_reranker(root / "reranker")
