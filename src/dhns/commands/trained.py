"""The model that ``checkpoint=`` names, for the commands that use one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from dhns.errors import InputError

if TYPE_CHECKING:
    from dhns.training.answer_files import FileReport
    from dhns.training.calibration import Calibration
    from dhns.training.ranker import Ranker
    from dhns.training.trained_model import TrainedModel


def moved_data(config: DictConfig) -> dict[str, Any]:
    """Where the settings say that the data lie now; empty where they say nothing."""
    return {str(key): value for key, value in config.dataset.items() if value}


def load(config: DictConfig) -> Ranker:
    """The trained module or blend, on the device of the settings, with its graph from where the settings say."""
    from dhns.sharing.hub import fetched
    from dhns.training.blend import load_ranker
    from dhns.training.device import choose_device

    return load_ranker(fetched(config.checkpoint), choose_device(config.device), moved_data(config), config.trust)


def load_model(config: DictConfig) -> TrainedModel:
    """As `load`, with its calibration if it has one, and told of the entities in the folder ``new``, if that is given.

    Raises:
        InputError: see `dhns.load` and `TrainedModel.with_newcomers`.
    """
    from dhns.api import load

    model = load(config.checkpoint, config.device, moved_data(config), config.trust)
    if config.new is None:
        return model
    told = model.with_newcomers(Path(config.new))
    for note in told.graph.notes[len(model.graph.notes) :]:
        print(f"note: {note}")
    if model.calibration is not None:
        print("note: probabilities were calibrated without new entities")
    return told


def require_files(config: DictConfig, name: str) -> None:
    """Refuse a file that cannot be read, and a place that cannot be written, before the model is loaded.

    Raises:
        InputError: see `RowStream` and `require_stream_kind`; or ``out`` is not given.
    """
    from dhns.graph.readers.row_stream import RowStream
    from dhns.results.record_stream import require_stream_kind

    RowStream(Path(config[name]).expanduser())
    if config.out is None:
        raise InputError("out is not given; add out=FILE, which ends in .csv, .tsv, .jsonl or .parquet")
    require_stream_kind(Path(config.out).expanduser())


def tell(report: FileReport, calibration: Calibration | None) -> None:
    """What was guessed of a file, which lines were left out, and what probabilities are of."""
    for note in [*report.notes, *([] if calibration is None else [calibration.meaning])]:
        print(f"note: {note}")
    for fault in report.faults:
        print(f"skipped: {fault}")
    if report.skipped:
        print(f"{report.skipped:,} bad lines were skipped; all of them: {report.skipped_file}")
