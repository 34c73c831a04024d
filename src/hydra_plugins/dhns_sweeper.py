"""Hydra's grid sweep, with no run twice, and an account of every run at its end.

Hydra finds plugins in the package of this name, and imports them whenever it starts: what is heavy is imported late.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydra.core.override_parser.overrides_parser import OverridesParser

from dhns.compat import BasicSweeper

if TYPE_CHECKING:
    from dhns.experiments.sweeps.jobs import Job

log = logging.getLogger(__name__)


class AccountingSweeper(BasicSweeper):
    """Runs every combination of choices, with any launcher; ends with a table, and with status 1 if a result lacks.

    Args:
        max_batch_size: jobs that the launcher is given at once; all when null.
        params: choices that the configuration makes, as ``key: a,b``; those of the command line come on top.
    """

    def __init__(self, max_batch_size: int | None = None, params: dict[str, str] | None = None) -> None:
        super().__init__(max_batch_size, params)

    def sweep(self, arguments: list[str]) -> None:
        from dhns.experiments.sweeps.report import report

        jobs = self._jobs(arguments)
        size = self.max_batch_size or len(jobs)
        for first in range(0, len(jobs), size):
            self._launch(jobs[first : first + size], first)
        if not report(jobs):
            sys.exit(1)

    def _jobs(self, arguments: list[str]) -> list[Job]:
        """All are composed before the first is run: a choice that does not exist is told at once."""
        from dhns.experiments.sweeps.jobs import distinct_jobs

        assert self.hydra_context is not None
        loader, config = self.hydra_context.config_loader, self.config
        assert config is not None
        choices = OverridesParser.create(config_loader=loader).parse_overrides([*self._parse_config(), *arguments])
        (combinations,) = self.split_arguments(choices, None)
        return distinct_jobs(combinations, lambda overrides: loader.load_sweep_config(config, overrides))

    def _launch(self, jobs: Sequence[Job], first: int) -> None:
        from dhns.interruption import stopped_by_signals

        assert self.launcher is not None
        try:
            with stopped_by_signals():  # a launcher stops what it has started
                outcomes = self.launcher.launch([job.overrides for job in jobs], initial_job_idx=first)
        except Exception as error:  # a worker was killed; what it leaves undone is for the report to tell
            log.error("the launcher has ended early (%s)", type(error).__name__)
            return
        for job, outcome in zip(jobs, outcomes, strict=True):
            job.take(outcome)
