"""``dhns calibrate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from dhns.commands.app import app

if TYPE_CHECKING:
    from rich.table import Table


@app("calibrate")
def main(config: DictConfig) -> None:
    """Fit probabilities and thresholds on validation, and store them beside the checkpoint."""
    from dhns.api import calibrate
    from dhns.commands.trained import moved_data
    from dhns.results.tables import percent, show
    from dhns.sharing.hub import fetched
    from dhns.training.calibration import calibration_file

    made = calibrate(
        config.checkpoint,
        config.method,
        config.share,
        config.candidates,
        corrupted=config.corrupted,
        valid_triples=config.valid_triples,
        seed=config.seed,
        test=config.test,
        device=config.device,
        dataset=moved_data(config),
        trust=config.trust,
    )
    show(_table(dict(made.report)))
    if left_out := made.report["left_out"]:
        print(f"note: {left_out:,} facts are left out: no candidate makes a corrupted triple of them")
    print(made.meaning)
    own = len(made.thresholds)
    for name, accuracy in made.report.items():
        if name.startswith("accuracy"):
            where = "test" if name.endswith("test") else "validation, cross-fitted"
            print(f"triple classification, {where}: {percent(accuracy)} % right ({own} relations have own thresholds)")
    file = calibration_file(fetched(config.checkpoint))
    print(f"calibration: {file}\nreliability: {file.with_suffix('.png')}")


def _table(report: dict[str, Any]) -> Table:
    from rich.table import Table

    table = Table(title=f"{report['facts']:,} facts of validation, {report['corrupted']:,} corrupted; cross-fitted")
    table.add_column("probability")
    for column in ("ECE, %", "Brier", "log loss"):
        table.add_column(column, justify="right")
    for name, found in report.items():
        if isinstance(found, dict):
            table.add_row(name, f"{100 * found['ece']:.2f}", f"{found['brier']:.4f}", f"{found['log_loss']:.4f}")
    return table
