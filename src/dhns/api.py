"""The project in Python: load a trained model, load a graph, train. The commands do the same.

Each is imported from ``dhns`` itself: ``dhns.load``, ``dhns.load_graph``, ``dhns.train``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from omegaconf import open_dict
from torch import Tensor

from dhns.config.composition import composed, groups, told
from dhns.config.values import check_value
from dhns.errors import InputError
from dhns.exchange.vectors import NamedVectors, require_format, write_vectors
from dhns.experiments.blending import blend_runs
from dhns.graph.fingerprint import fingerprint
from dhns.graph.knowledge_graph import KnowledgeGraph, Vocabulary
from dhns.graph.load import load_graph as _load_graph
from dhns.ranges import Count, NotNegative
from dhns.reporting.document import write_report
from dhns.resources import own_conf
from dhns.sharing.hub import fetched
from dhns.training.blend import Blend, load_ranker
from dhns.training.check import check_settings
from dhns.training.device import choose_device
from dhns.training.evaluation import rank_queries
from dhns.training.experiment import run
from dhns.training.module import LinkPredictionModule
from dhns.training.prediction import Query, answer_rows, predict

Name = str | int
"""A key, a label, ``id:7``, or an id as an integer."""


class Prediction(NamedTuple):
    """An answer to a query; ``known`` lists the splits that hold the fact, separated by commas."""

    rank: int
    key: str
    label: str
    score: float
    known: str


@dataclass(frozen=True)
class Embeddings:
    """What a model has learnt, in the order of the graph's entities and relations.

    Attributes:
        entities: ``(entities, J)`` float32 joint embeddings, which the scorer takes.
        relations: ``(relations, R)`` float32; twice as many rows with reciprocal relations.
        views: ``(entities, D)`` float32 by name, ``structure`` first.
        present: ``(entities,)`` bool by view; absent rows of a view mean nothing.
    """

    entities: np.ndarray
    relations: np.ndarray
    views: dict[str, np.ndarray]
    present: dict[str, np.ndarray]


class TrainedModel:
    """A trained model, or a blend of some, and the graph that it was trained on.

    Attributes:
        graph: names, triples and features.
        ranker: the LightningModule, in evaluation mode, or the blend.
    """

    def __init__(self, ranker: LinkPredictionModule | Blend) -> None:
        self.ranker = ranker.eval()
        self.graph = ranker.graph

    @property
    def module(self) -> LinkPredictionModule:
        """The LightningModule.

        Raises:
            InputError: this is a blend, which has several.
        """
        if isinstance(self.ranker, Blend):
            raise InputError(
                "a blend has no embeddings and no scores of triples by themselves, only answers to queries; load one "
                "of its members (members/0 in its folder)"
            )
        return self.ranker

    def predict(
        self,
        head: Name | None = None,
        relation: Name | None = None,
        tail: Name | None = None,
        k: int = 10,
        known: Literal["mark", "hide"] = "mark",
    ) -> list[Prediction]:
        """The ``k`` best answers to a query, best first. Exactly one of head, relation and tail is left out.

        Raises:
            InputError: a name is unknown or ambiguous, or not exactly two parts are given.
        """
        if known not in ("mark", "hide"):
            raise InputError(f"known is '{known}'; expected mark or hide")
        check_value("k", k := _plain(k), Count)
        query = Query.parse(self.graph, *map(_as_name, (head, relation, tail)))
        answers = predict(self.ranker, query, k, hide_known=known == "hide")
        return [Prediction(**row) for row in answer_rows(self.graph, query, answers)]

    @torch.no_grad()
    def score(self, triples: Iterable[Sequence[Name]] | np.ndarray | Tensor) -> np.ndarray:
        """``(n,)`` float32 scores of triples (head, relation, tail) by name or id; higher is truer.

        Raises:
            InputError: there is none, a row has not three parts, or a name is unknown.
        """
        scores: np.ndarray = self.module.model.score_triples(self._ids(triples)).float().cpu().numpy()
        return scores

    def evaluate(
        self, split: Literal["train", "valid", "test"] = "test", triples: Iterable[Sequence[Name]] | None = None
    ) -> dict[str, float]:
        """Filtered metrics of a split, or of triples by name or id, as `dhns.ranking.metric` names them.

        Raises:
            InputError: there are no triples, or a name is unknown.
        """
        chosen = self.graph.split(split) if triples is None else self._ids(triples).cpu()
        metrics, _ = rank_queries(self.ranker, chosen)
        return metrics

    @torch.no_grad()
    def embeddings(self) -> Embeddings:
        """Embeddings of all entities and relations."""
        model = self.module.model
        encoded = model.encode()
        return Embeddings(
            encoded.joint.float().cpu().numpy(),
            model.relation_table().float().cpu().numpy(),
            {name: view.float().cpu().numpy() for name, view in encoded.views.items()},
            {name: mask.cpu().numpy() for name, mask in encoded.present.items()},
        )

    def export(self, path: str | Path, format: str = "auto") -> list[Path]:
        """Write `embeddings` with keys and labels for other programs; see `dhns.exchange.vectors.write_vectors`.

        The second half of reciprocal relations has ``(reciprocal)`` behind its names.

        Args:
            path: ends in ``.safetensors``, ``.npz``, ``.parquet`` or ``.tsv``; or a folder for TensorBoard's projector.
            format: one of these without the dot, or ``projector``, where the path does not say it.

        Returns:
            The files that were written.

        Raises:
            InputError: this is a blend, the format is unknown, the folder is taken, or pyarrow is not installed.
        """
        path = Path(path).expanduser()
        require_format(path, format)
        vectors, names, relations = self.embeddings(), self.graph.entities, self.graph.relations
        keys, labels = list(relations.keys), list(relations.labels)
        if len(vectors.relations) > len(keys):
            keys += [f"{key} (reciprocal)" for key in keys]
            labels += [f"{label} (reciprocal)" for label in labels]
        return write_vectors(
            path,
            NamedVectors("entity", names.keys, names.labels, vectors.entities, vectors.views, vectors.present),
            NamedVectors("relation", keys, labels, vectors.relations),
            format,
        )

    def _ids(self, triples: Iterable[Sequence[Name]] | np.ndarray | Tensor) -> Tensor:
        if isinstance(triples, Tensor):
            triples = triples.cpu().numpy()
        rows = [list(row) for row in triples]
        if not rows:
            raise InputError("there are no triples; give some as (head, relation, tail)")
        if wrong := next((row for row in rows if len(row) != 3), None):
            raise InputError(f"{wrong} is no triple; expected (head, relation, tail)")
        names = (self.graph.entities, self.graph.relations, self.graph.entities)
        ids = [[_find(vocabulary, part) for vocabulary, part in zip(names, row, strict=True)] for row in rows]
        return torch.tensor(ids, device=self.ranker.device)


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


def _plain(value: Any) -> Any:
    """A number of NumPy as one of Python."""
    return value.item() if isinstance(value, np.generic) else value


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
        return TrainedModel(load_ranker(fetched(run), choose_device(device), dataset, trust))


def blend(
    runs: Sequence[str | Path],
    folder: str | Path,
    weights: Sequence[float] | None = None,
    device: str = "auto",
    trust: Collection[str] = (),
) -> Run:
    """Let several trained models of one graph answer together, and store that as a run; see `Blend`.

    Args:
        runs: folders or checkpoint files.
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
    weights = None if weights is None else list(map(_plain, weights))
    check_value("weights", weights, Sequence[NotNegative] | None)
    paths = [Path(run).expanduser() for run in runs]
    with told():
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
        runs: a folder under which result files are looked for, or several.
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
    file, folders = Path(out).expanduser(), [Path(place).expanduser() for place in places]
    described = {
        name: Path(path).expanduser() for name, path in {"images": images, "texts": texts}.items() if path is not None
    }
    with told():
        data = Path(composed("report", {}, {}).paths.data)
        write_report(
            folders,
            file,
            lambda folder: load_ranker(folder, choose_device(device), dataset, trust),
            against=against,
            data=data,
            **described,
        )
    return file


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


def _as_name(part: Name | None) -> str | None:
    return None if part is None else f"id:{int(part)}" if isinstance(part, int | np.integer) else str(part)


def _find(names: Vocabulary, part: Any) -> int:
    return names.find(f"id:{int(part)}" if isinstance(part, int | np.integer) else str(part))
