"""``dhns report``."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from dhns.commands.app import app
from dhns.commands.places import run_folders
from dhns.errors import InputError


@app("report")
def main(config: DictConfig) -> None:
    """Write one HTML file about a run, or about several."""
    if (config.run is None) == (not config.runs):
        raise InputError("give run=RUN for a report of one run, or runs=FOLDER or runs=[RUN,RUN] to compare several")
    from dhns.commands.trained import moved_data
    from dhns.reporting.document import only_run, require_page, write_report
    from dhns.sharing.hub import fetched
    from dhns.training.blend import load_ranker
    from dhns.training.device import choose_device

    out = Path(config.out)
    require_page(out)
    places = run_folders(config.runs) if config.run is None else only_run(fetched(config.run))
    moved = moved_data(config)
    images, texts = (None if path is None else Path(path) for path in (config.images, config.texts))
    count = write_report(
        places,
        out,
        lambda folder: load_ranker(folder, choose_device(config.device), moved, config.trust),
        against=config.against,
        data=Path(config.paths.data),
        images=images,
        texts=texts,
    )
    print(f"report of {count} {'run' if count == 1 else 'runs'}: {out}")
