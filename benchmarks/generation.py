"""What seeded, batch-independent drawing costs beside transformers' own sampling.

``python -m benchmarks.generation [--shape tiny|1.3b] [--rows N] [--tokens N]``: one randomly
initialised model, the same prompts and the same number of new tokens, the two alternating in one
run; then two runs of ours compared byte for byte, and candidate by candidate at another batch size.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import transformers

from benchmarks.machine import describe_machine
from rr_harness.generation.base import Sampling
from rr_harness.generation.huggingface import HuggingFaceGenerator
from rr_harness.records import Problem
from tests.models import make_tokenizer

# The shape of DeepSeek-Coder 1.3B, and one for the CPU; weights do not change the time.
SHAPES = {
    "tiny": {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 4},
    "1.3b": {"hidden_size": 2048, "intermediate_size": 5504, "num_hidden_layers": 24},
}
VOCABULARY = 32_256


def make_model(folder: Path, shape: str) -> None:
    """Save a random Llama of a shape, with a tokenizer that knows every id."""
    tokenizer = make_tokenizer()
    tokenizer.add_tokens([f" w{index}" for index in range(VOCABULARY - len(tokenizer))])
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        **SHAPES[shape],
        num_attention_heads=16,
        vocab_size=VOCABULARY,
        max_position_embeddings=4096,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.05,
    )
    transformers.LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)


def problems(count: int) -> list[Problem]:
    """Return prompts of some 150 tokens, without stop tokens: all rows run to the end."""
    text = "def add(a, b):\n    return a + b\n" * 12
    return [Problem(f"p{index}", "py", f"# {index}\n{text}", "") for index in range(count)]


def plain(generator: Any, batch: list[Problem], rows: int, tokens: int) -> int:
    """Sample with ``generate(do_sample=True)``; return the number of tokens."""
    tokenizer, model = generator.tokenizer, generator._loaded[0]
    tokenizer.padding_side = "left"
    encoded = tokenizer([p.prompt for p in batch], return_tensors="pt", padding=True)
    out = model.generate(
        **encoded.to(model.device), do_sample=True, temperature=0.8, top_p=0.95, top_k=0,
        num_return_sequences=rows // len(batch), max_new_tokens=tokens, min_new_tokens=tokens,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return int(out.shape[0]) * tokens


def main() -> None:
    """Print tokens per second of both, and whether ours repeats itself."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="tiny")
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(describe_machine())
    print(torch.cuda.get_device_name() if device == "cuda" else "CPU", options)
    sampling = Sampling(n=10, max_new_tokens=options.tokens)
    batch = problems(options.rows // 10)
    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder), options.shape)
        open_generator = lambda size: HuggingFaceGenerator(  # noqa: E731
            folder, dtype="bfloat16" if device == "cuda" else "float32", batch_size=size
        )
        generator = open_generator(options.rows)
        rates: dict[str, list[float]] = {"transformers": [], "rr-harness": []}
        for round_ in range(options.rounds + 1):
            for name, run in (
                ("transformers", lambda: plain(generator, batch, options.rows, options.tokens)),
                ("rr-harness", lambda: ours(generator, batch, sampling)),
            ):
                start = time.perf_counter()
                tokens = run()
                if round_:  # the first is warm-up
                    rates[name].append(tokens / (time.perf_counter() - start))
        for name, values in rates.items():
            spread = f"{min(values):.0f} to {max(values):.0f}"
            print(f"{name}: {statistics.median(values):.0f} tokens/s (of {len(values)}: {spread})")
        first, second = (generator.generate(batch, sampling) for _ in range(2))
        print("two runs are equal:", first == second)
        other = open_generator(options.rows // 2)
        third = [pool for p in batch for pool in other.generate([p], sampling)]
        pairs = [
            (a.completion, b.completion)
            for one, two in zip(first, third, strict=True)
            for a, b in zip(one.candidates, two.candidates, strict=True)
        ]
        same = sum(a == b for a, b in pairs)
        print(f"another batch size: {same} of {len(pairs)} candidates are equal")


def ours(generator: HuggingFaceGenerator, batch: list[Problem], sampling: Sampling) -> int:
    """Draw with our generator; return the number of tokens."""
    pools = generator.generate(batch, sampling)
    return sum(candidate.n_tokens or 0 for pool in pools for candidate in pool.candidates)


if __name__ == "__main__":
    main()
