"""Weights & Biases."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dhns.ranges import Positive
from dhns.tracking.backend import Backend, Row, Samples

log = logging.getLogger(__name__)


class WeightsAndBiases(Backend):
    """A run of Weights & Biases, continued wherever its id comes up again.

    Without an API key, and where the server does not answer, it is written to ``<folder>/wandb`` for ``wandb sync``.
    Nothing is ever asked for on the terminal, and what the run prints is not recorded.

    Args:
        project: where the run appears.
        id: identity of the run; the same settings and seed have the same.
        name: shown for the run.
        group: runs that are shown together.
        tags: to filter by.
        folder: of the run.
        offline: write to the folder even where there is a key.
        timeout: seconds to reach the server, and again to send what is left at the end.
    """

    def __init__(
        self,
        project: str,
        id: str,
        name: str,
        group: str,
        tags: Sequence[str],
        folder: str,
        offline: bool = False,
        timeout: Positive = 25.0,
    ) -> None:
        self.folder = Path(folder)
        self.offline = offline
        self.timeout = timeout
        self._identity: dict[str, Any] = {
            "project": project,
            "id": id,
            "name": name,
            "group": group,
            "tags": list(tags),
        }
        self._run: Any = None

    def open(self) -> None:
        import wandb

        mode = wandb.setup(wandb.Settings(silent=True)).settings.mode
        reason = ""
        if mode == "online" and not self.offline:
            try:
                if wandb.login(prompt=False):
                    self._begin("online")
                    log.info("Weights & Biases: %s", self._run.url)
                    return
                reason = "no API key, "
            except Exception as error:  # a key of the wrong form, no network, no answer, no permission
                reason = f"{' '.join(str(error).split())[:200]}; "
        self._begin("offline" if mode == "online" else mode)
        if mode == "disabled":
            log.info("Weights & Biases: disabled by WANDB_MODE")
            return
        written = self.folder / "wandb" / Path(self._run.settings.sync_dir).name
        log.info("Weights & Biases: %srun kept offline; to send it: wandb sync %s", reason, written)

    def _begin(self, mode: Any) -> None:
        import wandb

        self.folder.mkdir(parents=True, exist_ok=True)  # or wandb would write elsewhere
        settings = wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,  # addresses of remotes may hold passwords
            init_timeout=self.timeout,
            finish_timeout=self.timeout,
            reinit="create_new",  # never a run that another job of this process has left open
        )
        self._run = wandb.init(
            **self._identity, job_type="train", dir=str(self.folder), mode=mode, resume="allow", settings=settings
        )
        self._run.define_metric("*", step_metric="epoch")

    def settings(self, settings: dict[str, Any]) -> None:
        self._run.config.update(settings, allow_val_change=True)

    def metrics(self, values: dict[str, float], step: int | None) -> None:
        # with its step, a row that a resumed run logs again is the same row
        self._run.log(values, step=step)

    def histograms(self, samples: Samples, step: int) -> None:
        import wandb

        self._run.log(
            {
                name: wandb.Histogram(np_histogram=np.histogram(values, bins=64))
                for name, values in samples.items()
            },
            step=step,
        )  # fmt: skip

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Row], step: int) -> None:
        import wandb

        self._run.log({name: wandb.Table(columns=list(columns), data=[list(row) for row in rows])}, step=step)

    def summary(self, values: dict[str, float]) -> None:
        self._run.summary.update(values)

    def close(self, failed: bool) -> None:
        import wandb

        try:
            if self._run is not None:
                self._run.finish(exit_code=int(failed))
        finally:
            wandb.teardown()

    def abandon(self) -> None:
        import wandb

        wandb.teardown()  # or its exit hook would wait for its service for ever
