"""The jobs of a sweep: one for each run folder."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from dhns.compat import failure_of
from dhns.config.identity import config_hash
from dhns.errors import InputError
from dhns.results.store import FILE_NAME, read_result

log = logging.getLogger(__name__)


@dataclass
class Job:
    """A combination of choices, where it runs, and how it ended.

    Attributes:
        overrides: of the command, as ``key=value``.
        folder: of the run.
        log_file: what the job said.
        failure: why it failed, if it did, and its process could tell.
    """

    overrides: list[str]
    folder: Path
    log_file: Path
    failure: str | None = None

    def take(self, outcome: JobReturn) -> None:
        """Note how it ended."""
        if outcome.status == JobStatus.FAILED:
            self.failure = failure_of(outcome)

    @property
    def result(self) -> dict[str, Any] | None:
        """The content of its result file, if it has one."""
        path = self.folder / FILE_NAME
        return read_result(path) if path.exists() and self.failure is None else None

    @property
    def reason(self) -> str:
        """Why it has no result."""
        if self.failure is not None:
            return self.failure
        return "it was started and has not ended" if self.log_file.exists() else "it was not started"


def distinct_jobs(combinations: Iterable[list[str]], compose: Callable[[list[str]], DictConfig]) -> list[Job]:
    """One job for each run among combinations of choices; those that differ in nothing that matters are one run.

    Raises:
        InputError: different runs would share a folder.
    """
    jobs: dict[Path, tuple[Job, tuple[str, int]]] = {}
    for overrides in combinations:
        config = compose(overrides)
        sweep = config.hydra.sweep
        job = Job(overrides, Path(config.run_dir), Path(sweep.dir, sweep.subdir, f"{config.hydra.job.name}.log"))
        identity = config_hash(config), config.seed
        other, others_identity = jobs.setdefault(job.folder, (job, identity))
        if identity != others_identity:
            raise InputError(
                f"'{' '.join(other.overrides)}' and '{' '.join(overrides)}' would both write to {job.folder}; leave "
                "out run_dir: every run has a folder of its own"
            )
        if other is not job:
            log.info("'%s' and '%s' are one run, which is done once", " ".join(other.overrides), " ".join(overrides))
    return [job for job, _ in jobs.values()]
