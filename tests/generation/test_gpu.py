"""The same promises on a CUDA device."""

import pytest
import torch

from rr_harness.generation.base import Sampling
from rr_harness.generation.huggingface import HuggingFaceGenerator
from rr_harness.records import Problem
from rr_harness.reranking.reranker import SequenceClassificationReranker
from tests.models import make_tiny_generator, make_tiny_reranker

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
PROBLEMS = [Problem(f"p{i}", "py", f"def f{i}(a):\n" * (i + 1), "", ("\nq",)) for i in range(4)]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_one_seed_one_pool(tmp_path, dtype):
    folder = str(make_tiny_generator(tmp_path / "generator"))
    sampling = Sampling(n=6, max_new_tokens=40, seed=1)
    runs = [
        HuggingFaceGenerator(folder, dtype=dtype, batch_size=8).generate(PROBLEMS, sampling)
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


def test_float32_draws_what_the_cpu_draws(tmp_path):
    folder = str(make_tiny_generator(tmp_path / "generator"))
    sampling = Sampling(n=6, max_new_tokens=40, seed=1)
    texts = [
        [
            candidate.completion
            for pool in HuggingFaceGenerator(folder, dtype="float32", device=device).generate(
                PROBLEMS, sampling
            )
            for candidate in pool.candidates
        ]
        for device in ("cpu", "cuda")
    ]
    same = sum(a == b for a, b in zip(*texts, strict=True))
    assert same >= len(texts[0]) - 1  # rounding may move one draw in thousands


def test_scores_are_those_of_the_cpu(tmp_path):
    folder = str(make_tiny_reranker(tmp_path / "reranker"))
    texts = ["    return a", "    return a + 1\n" * 9, ""]
    scores = [
        SequenceClassificationReranker(folder, dtype="float32", device=device).score(
            PROBLEMS[0], texts
        )
        for device in ("cpu", "cuda")
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)
