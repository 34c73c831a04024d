"""``dhns score``."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from dhns.commands.app import app


@app("score")
def main(config: DictConfig) -> None:
    """Write the scores of a file of triples, and probabilities where the model is calibrated."""
    from dhns.commands.trained import load_model, require_files, tell

    require_files(config, "triples")
    model = load_model(config)
    report = model.score_file(
        Path(config.triples).expanduser(), Path(config.out).expanduser(), config.bad_lines, config.chunk
    )
    tell(report, model.calibration)
    print(f"{report.written:,} triples: {config.out}")
