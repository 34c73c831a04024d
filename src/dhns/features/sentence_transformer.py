"""Text encoders of the sentence-transformers library: SBERT and its kin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from dhns.errors import InputError
from dhns.extras import optional
from dhns.features.encoder import FeatureEncoder, package_versions
from dhns.features.model_folder import ModelFolder, find_model


class SentenceTransformer(FeatureEncoder):
    """One vector per text from a sentence transformer (SBERT, Reimers & Gurevych 2019, arXiv 1908.10084).

    Args:
        model: a folder, or a name on the Hugging Face hub.
        normalize: scale each vector to length one.
        revision: branch, tag or commit on the hub.
        local_files_only: never ask the hub.
        device: to compute on.

    Raises:
        InputError: the model cannot be had, or is not of this kind.
    """

    def __init__(
        self,
        model: str,
        normalize: bool = True,
        revision: str | None = None,
        local_files_only: bool = False,
        device: str = "cpu",
    ) -> None:
        self.normalize = normalize
        self.folder = find_model(model, revision, local_files_only)
        self.model = _load(self.folder, device)

    @property
    def description(self) -> dict[str, Any]:
        return {
            **self.folder.description,
            "normalised": self.normalize,
            "max_tokens": self.model.max_seq_length,
            "run_with": package_versions("sentence-transformers", "transformers", "torch"),
        }

    def encode(self, items: Sequence[Any]) -> Tensor:
        rows: Tensor = self.model.encode(
            list(items),
            batch_size=len(items),
            normalize_embeddings=self.normalize,
            convert_to_tensor=True,
            show_progress_bar=False,
        )
        return rows.float().cpu()


def _load(folder: ModelFolder, device: str) -> Any:
    library = optional("sentence_transformers", "dhns features", "features")
    logging = optional("transformers", "dhns features", "features").logging
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        return library.SentenceTransformer(
            str(folder.path),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        ).eval()
    except Exception as error:  # whatever settings and weights of others make the library raise
        reason = " ".join(str(error).split())
        raise InputError(f"model '{folder.name}' cannot be loaded as a text encoder: {reason}") from error
