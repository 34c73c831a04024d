"""What Lightning says to users that means nothing to ours."""

from __future__ import annotations

import logging
import warnings


def quiet_lightning() -> None:
    """Keep hints of Lightning and torch from standard error; in every process that trains."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")
    # batches are slices of tensors in memory: worker processes would only copy them
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
    # values of a distributed training are those of the first process, and metrics of all of them already
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*")
    # what takes its place is not in every torch that we admit
    warnings.filterwarnings("ignore", message=".*`broadcast_buffers` is deprecated.*")
