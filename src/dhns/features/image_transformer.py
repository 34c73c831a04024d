"""Image encoders of the transformers library: BEiT and its kin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.extras import optional
from dhns.features.encoder import FeatureEncoder, package_versions
from dhns.features.images import on_white
from dhns.features.model_folder import ModelFolder, find_model


class ImageTransformer(FeatureEncoder):
    """One vector per image from a vision transformer.

    BEiT (Bao et al. 2022, arXiv 2106.08254) is what DHNS describes images with; its pooler is a normalised mean over
    patches.

    Args:
        model: a folder, or a name on the Hugging Face hub.
        output: ``pooler``, the model's own summary, or ``cls``, the last state of the first token.
        revision: branch, tag or commit on the hub.
        local_files_only: never ask the hub.
        device: to compute on.

    Raises:
        InputError: the model cannot be had, is not of this kind, or lacks what ``output`` asks for.
    """

    def __init__(
        self,
        model: str,
        output: Literal["pooler", "cls"] = "pooler",
        revision: str | None = None,
        local_files_only: bool = False,
        device: str = "cpu",
    ) -> None:
        self.output, self.device = output, device
        self.folder = find_model(model, revision, local_files_only)
        self.processor, self.model = _load(self.folder, output)
        self.model.to(device).eval()

    @property
    def description(self) -> dict[str, Any]:
        made_with = package_versions("transformers", "torch", "pillow")
        return {**self.folder.description, "output": self.output, "run_with": made_with}

    def encode(self, items: Sequence[Any]) -> Tensor:
        pixels = self.processor(images=[on_white(image) for image in items], return_tensors="pt").to(self.device)
        with torch.inference_mode():
            states = self.model(**pixels)
        rows: Tensor | None = states.get("pooler_output") if self.output == "pooler" else states.last_hidden_state[:, 0]
        if rows is None:
            raise InputError(f"model '{self.folder.name}' has no pooler; take the first token's state with output=cls")
        return rows.flatten(1).float().cpu()


def _load(folder: ModelFolder, output: str) -> tuple[Any, Any]:
    transformers = optional("transformers", "dhns features", "features")
    transformers.logging.set_verbosity_error()  # its warnings are checked for below
    transformers.logging.disable_progress_bar()
    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        # the PIL backend, so that features do not depend on whether torchvision is installed
        processor = transformers.AutoImageProcessor.from_pretrained(folder.path, backend="pil", **local)
        model, loaded = transformers.AutoModel.from_pretrained(
            folder.path, use_safetensors=True, output_loading_info=True, **local
        )
    except Exception as error:  # whatever settings and weights of others make the library raise
        reason = " ".join(str(error).split())
        raise InputError(f"model '{folder.name}' cannot be loaded as an image encoder: {reason}") from error
    if model.main_input_name != "pixel_values":
        raise InputError(f"model '{folder.name}' takes {model.main_input_name}; an image encoder takes pixel_values")
    missing = [key for key in sorted(loaded["missing_keys"]) if output == "pooler" or not key.startswith("pooler.")]
    if missing:  # the library would fill them with random numbers
        hint = "; output=cls does without a pooler" if output == "pooler" else ""
        raise InputError(f"the weights of model '{folder.name}' lack {missing[0]}{hint}")
    return processor, model
