"""Opening a checkpoint: identity, and errors of one line that say what to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rr_harness.errors import BadInput, MissingExtra
from rr_harness.generation.checkpoint import Checkpoint
from tests.models import make_tiny_generator, make_tiny_reranker


def open_checkpoint(model: Path | str, dtype: str = "auto", device: str = "cpu") -> Checkpoint:
    return Checkpoint(str(model), "this", device, dtype)


def refusal(model: Path | str, **options: str) -> str:
    with pytest.raises(BadInput) as caught:
        open_checkpoint(model, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_missing_folder() -> None:
    assert "no such folder" in refusal("/nowhere/model")


def test_folder_without_a_model(tmp_path: Path) -> None:
    assert "no config.json" in refusal(tmp_path)


def test_file_instead_of_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.touch()
    assert "expected a folder" in refusal(path)


def test_broken_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    assert "cannot load model" in refusal(tmp_path)


def test_configuration_of_no_known_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "unheard-of"}')
    assert "cannot load model" in refusal(tmp_path)


def test_unreachable_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("transformers.utils.hub.is_offline_mode", lambda: True)
    assert "hub name that this machine has or can reach" in refusal("no-one/nothing-rr")


def test_broken_weights(tiny: Path, tmp_path: Path) -> None:
    import transformers

    shutil.copytree(tiny, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(BadInput, match="cannot load model"):
        open_checkpoint(tmp_path).load(transformers.AutoModelForCausalLM)


def test_unknown_dtype(tiny: Path) -> None:
    assert "did you mean 'bfloat16'" in refusal(tiny, dtype="bfloat")


def test_device_that_is_none(tiny: Path) -> None:
    assert "device is 'gpu'; give cpu" in refusal(tiny, device="gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_device_that_is_not_there(tiny: Path) -> None:
    assert "torch sees no GPU" in refusal(tiny, device="cuda:0")


def test_missing_packages_name_the_extra(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"rr-harness\[lm-eval\]"):
        open_checkpoint(tiny)


def test_dtype_of_the_checkpoint_is_found_without_weights(tiny: Path) -> None:
    assert open_checkpoint(tiny).dtype == "float32"
    assert open_checkpoint(tiny, "bfloat16").dtype == "bfloat16"


def test_fingerprint_is_of_the_content_not_the_place(tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny, tmp_path, dirs_exist_ok=True)
    (tmp_path / "README.md").write_text("notes")
    assert open_checkpoint(tmp_path).fingerprint() == open_checkpoint(tiny).fingerprint()


def test_fingerprint_sees_weights_of_the_same_shape(tiny: Path, tmp_path: Path) -> None:
    make_tiny_generator(tmp_path, seed=1)
    assert open_checkpoint(tmp_path).fingerprint() != open_checkpoint(tiny).fingerprint()


def test_fingerprint_samples_large_files(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rr_harness.generation.checkpoint._WHOLE", 1000)
    monkeypatch.setattr("rr_harness.generation.checkpoint._BLOCK", 64)
    make_tiny_generator(tmp_path, seed=1)
    assert open_checkpoint(tiny).fingerprint() == open_checkpoint(tiny).fingerprint()
    assert open_checkpoint(tmp_path).fingerprint() != open_checkpoint(tiny).fingerprint()


def test_encoder_is_told_from_decoder(tiny: Path, tmp_path: Path) -> None:
    assert open_checkpoint(make_tiny_reranker(tmp_path, architecture="bert")).is_encoder
    assert not open_checkpoint(tiny).is_encoder


def test_nothing_heavy_is_imported_before_a_model_is_opened() -> None:
    modules = ["generation", "generation.huggingface", "generation.replay", "reranking.reranker"]
    script = "import sys, " + ", ".join(f"rr_harness.{module}" for module in modules)
    script += "; sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'numpy')))"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
