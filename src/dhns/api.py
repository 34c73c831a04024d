"""The project in Python: load a trained model, load a graph, train. The commands do the same.

Each is imported from ``dhns`` itself: ``dhns.load``, ``dhns.load_graph``, ``dhns.train``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import open_dict

from dhns.config.composition import composed, groups, told
from dhns.config.own_settings import OWN
from dhns.config.values import check_value, plain
from dhns.errors import InputError
from dhns.experiments.blending import blend_runs
from dhns.graph.candidates import Candidates
from dhns.graph.fingerprint import fingerprint
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.load import load_graph as _load_graph
from dhns.ranges import NotNegative
from dhns.reporting.document import write_report
from dhns.resources import own_conf
from dhns.results.plots import plot_reliability
from dhns.sharing.hub import fetched
from dhns.training.blend import load_ranker
from dhns.training.calibrate import fit_calibration, require_scikit_learn
from dhns.training.calibration import Calibration, Method, fingerprint_of, load_calibration, save_calibration
from dhns.training.check import check_settings
from dhns.training.device import choose_device
from dhns.training.experiment import run
from dhns.training.trained_model import TrainedModel


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        folder: of the run, which `load` takes.
        result: the content of its result file.
    """

    folder: Path
    result: dict[str, Any]

    @property
    def metrics(self) -> dict[str, float]:
        """Of the test split, or of validation where there is none."""
        metrics: dict[str, dict[str, float]] = self.result["metrics"]
        return metrics["test"] if "test" in metrics else metrics["valid"]

    @cached_property
    def model(self) -> TrainedModel:
        """The trained model, on the processor."""
        return load(self.folder, device="cpu")


def load(
    run: str | Path,
    device: str = "auto",
    dataset: Mapping[str, Any] | None = None,
    trust: Collection[str] = (),
) -> TrainedModel:
    """The trained model of a run's or a blend's folder or of a checkpoint file, with its graph.

    Args:
        run: of the run, wherever it lies now; ``hf://USER/NAME`` of one on the Hugging Face hub.
        device: ``auto``, or the name of a torch device.
        dataset: where the data lie, such as ``{"folder": "my_graph"}``, if not in the run's folder.
        trust: packages beside dhns whose classes the checkpoint may name.

    Raises:
        InputError: there is no readable checkpoint, its graph is not there or another, or it names foreign code.
    """
    with told():
        path = fetched(run)
        return TrainedModel(load_ranker(path, choose_device(device), dataset, trust), load_calibration(path))


def blend(
    runs: Sequence[str | Path],
    folder: str | Path,
    weights: Sequence[float] | None = None,
    device: str = "auto",
    trust: Collection[str] = (),
) -> Run:
    """Let several trained models of one graph answer together, and store that as a run; see `Blend`.

    Args:
        runs: folders or checkpoint files, see `load`.
        folder: of the blend.
        weights: one per run; by default those of the best MRR on validation.
        device: ``auto``, or the name of a torch device.
        trust: see `load`.

    Raises:
        InputError: the runs are of different graphs, there is no validation split, or the folder is taken.
    """
    folder = Path(folder).expanduser()
    if isinstance(runs, str | Path):
        raise InputError(f"runs is {str(runs)!r}; expected a list of folders, such as [{str(runs)!r}, 'another']")
    weights = None if weights is None else list(map(plain, weights))
    check_value("weights", weights, Sequence[NotNegative] | None)
    with told():
        paths = [fetched(run) for run in runs]
        result, _ = blend_runs(paths, folder, weights, device=choose_device(device), trusted=trust)
    return Run(folder, result)


def report(
    runs: str | Path | Sequence[str | Path],
    out: str | Path = "report.html",
    *,
    against: str | None = None,
    images: str | Path | None = None,
    texts: str | Path | None = None,
    device: str = "auto",
    dataset: Mapping[str, Any] | None = None,
    trust: Collection[str] = (),
) -> Path:
    """Write one HTML file, which needs nothing else, about a run or, where there are several, about all of them.

    Args:
        runs: a folder under which result files are looked for, or several; see `load`.
        out: the file, which is replaced.
        against: of several: the system that the others differ from, by hash, name or model; by default the first.
        images: of one: a folder of images of its entities, laid out as for ``dhns features``.
        texts: of one: a table of texts of its entities, likewise.
        device: ``auto``, or the name of a torch device.
        dataset: see `load`.
        trust: see `load`.

    Returns:
        The file.

    Raises:
        InputError: there is no usable result, ``out`` is no place for a page, or what is named is not there.
    """
    places = [runs] if isinstance(runs, str | Path) else runs
    file = Path(out).expanduser()
    described = {
        name: Path(path).expanduser() for name, path in {"images": images, "texts": texts}.items() if path is not None
    }
    with told():
        data = Path(composed("report", {}, {}).paths.data)
        write_report(
            [fetched(place) for place in places],
            file,
            lambda folder: load_ranker(folder, choose_device(device), dataset, trust),
            against=against,
            data=data,
            **described,
        )
    return file


def calibrate(
    run: str | Path,
    method: Method = "platt",
    share: float = 0.5,
    candidates: Candidates = "seen",
    *,
    corrupted: int = 32,
    valid_triples: int | None = 5000,
    seed: int = 0,
    test: bool = False,
    device: str = "auto",
    dataset: Mapping[str, Any] | None = None,
    trust: Collection[str] = (),
) -> Calibration:
    """Fit probabilities and thresholds on validation, and store them beside the checkpoint, with a plot.

    Args:
        run: see `load`.
        method: ``platt`` or ``isotonic``.
        share: of facts among the triples that probabilities are meant for.
        candidates: what facts are corrupted by: ``seen`` on that side of the relation in train, or ``all`` entities.
        corrupted: triples per fact and side.
        valid_triples: facts at most, chosen at random; None for all.
        seed: of that choice, and of corrupted triples.
        test: measure the result on the test split too.
        device: see `load`.
        dataset: see `load`.
        trust: see `load`.

    Raises:
        InputError: scikit-learn is not there, validation triples are too few, or see `load`.
    """
    settings = {"share": share, "corrupted": corrupted, "valid_triples": valid_triples, "seed": seed}
    for name, value in settings.items():
        check_value(name, plain(value), OWN[name])
    with told():
        path = fetched(run)
        require_scikit_learn()
        ranker = load_ranker(path, choose_device(device), dataset, trust)
        fitted = fit_calibration(
            ranker, fingerprint_of(path), method, share, candidates, corrupted, valid_triples, seed, test
        )
        file = save_calibration(fitted.calibration, path)
        plot_reliability(fitted.curves, method, file.with_suffix(".png"))
    return fitted.calibration


def load_graph(
    dataset: str, protocol: str = "clean", *, config_dir: str | Path | None = None, **settings: Any
) -> KnowledgeGraph:
    """A data set by the name of its file in ``conf/dataset``, prepared by a protocol.

    Args:
        dataset: ``world_flags``, ``mkg_w``, ``tsv``, ...
        protocol: ``clean`` or ``as_published``.
        config_dir: a folder of your own with more files of groups, such as ``dataset/mine.yaml``.
        **settings: of the data set: ``folder="my_graph"``, ``modalities={"textual": "sbert.npy"}``.

    Raises:
        InputError: there is no such data set, or its files are not there or malformed.
    """
    chosen = {f"dataset.{key}": value for key, value in settings.items()}
    with own_conf(config_dir), told():
        return _load_graph(composed("data", {"dataset": dataset, "protocol": protocol}, chosen))


def train(
    graph: KnowledgeGraph | str,
    model: str = "dhns",
    *,
    settings: Mapping[str, Any] | None = None,
    outputs: str | Path = "outputs",
    config_dir: str | Path | None = None,
    **choices: Any,
) -> Run:
    """Train, select on validation, rank the test split once, store the result; or return what is stored already.

    Args:
        graph: a graph, or the name of a data set.
        model: its file in ``conf/model``.
        settings: values by dotted key: ``{"scorer.dim": 64, "trainer.max_epochs": 20}``.
        outputs: folder of runs.
        config_dir: a folder of your own with more files of groups, such as ``scorer/mine.yaml``.
        **choices: files by group (``scorer="distmult"``, ``ablation="no_hal"``) and top-level settings (``seed=1``,
            ``budget="short"``).

    Raises:
        InputError: a choice or a setting does not exist, or does not work.
    """
    with own_conf(config_dir), told():
        chosen = {key: value for key, value in choices.items() if key in groups()}
        values = {key: value for key, value in choices.items() if key not in chosen} | dict(settings or {})
        if isinstance(graph, KnowledgeGraph) and (
            unread := next((key for key in {**chosen, **values} if key.partition(".")[0] == "dataset"), None)
        ):
            raise InputError(f"{unread} is not read where a graph is given; leave it out, or name a data set as graph")
        dataset = {"dataset": graph} if isinstance(graph, str) else {}
        config = composed("train", {"model": model, **dataset, **chosen}, {"paths.outputs": str(outputs), **values})
        with open_dict(config):
            for key in ("download", "mirror"):
                del config[key]
            if isinstance(graph, KnowledgeGraph):
                config.dataset = {"name": graph.name}
                config.content = fingerprint(graph)
        check_settings(config)
        folder = Path(config.run_dir)  # now: it is named by the data, which may change while the run is at work
        return Run(folder, run(config, graph if isinstance(graph, KnowledgeGraph) else None))
