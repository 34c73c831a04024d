"""Loggers of Lightning as backends: CSV files, TensorBoard, and any other."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger

from dhns.console import markdown_table
from dhns.errors import InputError
from dhns.tracking.backend import Backend, Row, Samples

QUANTILES = {"min": 0.0, "5%": 0.05, "25%": 0.25, "median": 0.5, "75%": 0.75, "95%": 0.95, "max": 1.0}


class LightningBackend(Backend):
    """Settings, curves and the headline of the summary; loggers have no common way to show more.

    Args:
        logger: of Lightning.
    """

    def __init__(self, logger: Logger) -> None:
        self.logger: Any = logger
        self._last_step: int | None = None

    def open(self) -> None:
        pass

    def settings(self, settings: dict[str, Any]) -> None:
        self.logger.log_hyperparams(settings)

    def metrics(self, values: dict[str, float], step: int | None) -> None:
        self._last_step = step
        self.logger.log_metrics(values, step)
        self.logger.save()

    def histograms(self, samples: Samples, step: int) -> None:
        pass

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Row], step: int) -> None:
        pass

    def summary(self, values: dict[str, float]) -> None:
        # not the breakdowns by side, tie rule and relation category: result.json lies beside it
        self.metrics({key: value for key, value in values.items() if key.count("/") == 2}, self._last_step)

    def close(self, failed: bool) -> None:
        self.logger.finalize("failed" if failed else "success")

    def abandon(self) -> None:
        pass


class CSVFiles(LightningBackend):
    """``metrics.csv``, quantiles of distributions, and tables, in ``<folder>/log/version_<n>``.

    Args:
        folder: of the run. Another version is begun each time that the run is resumed.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(CSVLogger(Path(folder).absolute(), name="log"))

    def histograms(self, samples: Samples, step: int) -> None:
        shares = list(QUANTILES.values())
        rows = [[step, name, *np.quantile(values, shares).tolist()] for name, values in samples.items()]
        self._append("histograms.csv", ["step", "name", *QUANTILES], rows)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Row], step: int) -> None:
        self._append(f"{name}.csv", ["step", *columns], [[step, *row] for row in rows])

    def _append(self, name: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        path = Path(self.logger.log_dir or "") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            if file.tell() == 0:
                writer.writerow(columns)
            writer.writerows(rows)


class TensorBoard(LightningBackend):
    """Event files in ``<folder>/tensorboard``; those of a resumed run continue its curves.

    Args:
        folder: of the run.

    Raises:
        InputError: the package tensorboard is not installed.
    """

    def __init__(self, folder: str) -> None:
        if find_spec("tensorboard") is None:
            raise InputError('logger=tensorboard needs a package that is missing: pip install "dhns[tensorboard]"')
        super().__init__(TensorBoardLogger(Path(folder).absolute(), name="tensorboard", version=""))

    def histograms(self, samples: Samples, step: int) -> None:
        for name, values in samples.items():
            self.logger.experiment.add_histogram(name, values, step)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Row], step: int) -> None:
        cells = [[f"{value:.3f}" if isinstance(value, float) else str(value) for value in row] for row in rows]
        self.logger.experiment.add_text(name, markdown_table(columns, cells), step)
