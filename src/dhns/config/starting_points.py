"""The checkpoints that settings name: which file of a run it is that training starts from, or that answers queries."""

from __future__ import annotations

from pathlib import Path

BEST, LAST = "best", "last"
"""Names of the two checkpoints of a run: of its best validation, and of the state to resume from."""
WEIGHTS = "best.safetensors"
"""In a shared folder, the weights without what training needs."""
BLEND = "blend.json"
"""The file by which the folder of a blend is told from that of a run."""


def to_use(run: Path) -> Path | None:
    """A checkpoint file, or the best (else the last) one of a run's folder; None where there is none."""
    names = (f"{BEST}.ckpt", WEIGHTS, f"{LAST}.ckpt")
    inside = (folder / name for name in names for folder in (run, run / "checkpoints"))
    return next((path for path in (run, *inside) if path.is_file()), None)


def to_resume(run: Path) -> Path | None:
    """The last checkpoint of a run's folder, be the folder, that of its checkpoints or a file in it given."""
    inside = (folder / f"{LAST}.ckpt" for folder in (run / "checkpoints", run, run.parent))
    return next((path for path in inside if path.is_file()), None)
