"""The project in Python: load a trained model, load a graph, train. The commands do the same.

Each is imported from ``dhns`` itself: ``dhns.load``, ``dhns.load_graph``, ``dhns.train``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from omegaconf import open_dict
from torch import Tensor

from dhns.config.composition import composed, groups, told
from dhns.errors import InputError
from dhns.experiments.blending import blend_runs
from dhns.graph.candidates import Candidates
from dhns.graph.fingerprint import fingerprint
from dhns.graph.knowledge_graph import KnowledgeGraph, Vocabulary
from dhns.graph.load import load_graph as _load_graph
from dhns.resources import own_conf
from dhns.results.plots import plot_reliability
from dhns.training.answer_files import BadLines, FileReport, predict_file, score_file
from dhns.training.blend import Blend, load_ranker
from dhns.training.calibrate import fit_calibration, require_scikit_learn
from dhns.training.calibration import Calibration, Method, fingerprint_of, load_calibration, save_calibration
from dhns.training.check import check_settings
from dhns.training.device import choose_device
from dhns.training.discovery import discover, discovery_rows
from dhns.training.evaluation import rank_queries
from dhns.training.experiment import run
from dhns.training.module import LinkPredictionModule
from dhns.training.prediction import Query, answer_rows, as_name, predict_many, score_facts

Name = str | int
"""A key, a label, ``id:7``, or an id as an integer."""


class Prediction(NamedTuple):
    """An answer to a query.

    ``known`` lists the splits that hold the fact, separated by commas; ``probability`` is None where the model is not
    calibrated.
    """

    rank: int
    key: str
    label: str
    score: float
    known: str
    probability: float | None = None


class Discovery(NamedTuple):
    """A triple of keys that the graph does not hold; ``probability`` is None where the model is not calibrated."""

    head: str
    relation: str
    tail: str
    score: float
    probability: float | None = None


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
        calibration: of its scores, if `calibrate` has stored one.
    """

    def __init__(self, ranker: LinkPredictionModule | Blend, calibration: Calibration | None = None) -> None:
        self.ranker = ranker.eval()
        self.graph = ranker.graph
        self.calibration = calibration

    @property
    def module(self) -> LinkPredictionModule:
        """The LightningModule.

        Raises:
            InputError: this is a blend, which has several.
        """
        if isinstance(self.ranker, Blend):
            raise InputError("a blend has no embeddings of its own; load one of its members (members/0 in its folder)")
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
        return next(self.predict_many([(head, relation, tail)], k, known))

    def predict_many(
        self, queries: Iterable[Sequence[Name | None]], k: int = 10, known: Literal["mark", "hide"] = "mark"
    ) -> Iterator[list[Prediction]]:
        """As `predict`, for queries (head, relation, tail) of which one part is None; taken a chunk at a time.

        Raises:
            InputError: see `predict`, when the query is reached.
        """
        if known not in ("mark", "hide"):
            raise InputError(f"known is '{known}'; expected mark or hide")
        waiting: deque[Query] = deque()

        def asked() -> Iterator[Query]:
            for parts in queries:
                if len(parts) != 3:
                    raise InputError(f"{parts} is no query; expected (head, relation, tail) with one part None")
                waiting.append(Query.parse(self.graph, *map(as_name, parts)))
                yield waiting[-1]

        for answers in predict_many(self.ranker, asked(), k, known == "hide", self.calibration):
            yield [Prediction(**row) for row in answer_rows(self.graph, waiting.popleft(), answers)]

    def predict_file(
        self,
        queries: str | Path,
        out: str | Path,
        k: int = 10,
        known: Literal["mark", "hide"] = "mark",
        bad_lines: BadLines = "stop",
        chunk: int = 1024,
    ) -> FileReport:
        """Answer a file of queries into another; see `dhns.training.answer_files.predict_file`.

        Raises:
            InputError: a file cannot be read or written, or a line is bad and ``bad_lines`` is ``stop``.
        """
        if known not in ("mark", "hide"):
            raise InputError(f"known is '{known}'; expected mark or hide")
        options: dict[str, Any] = {"calibration": self.calibration, "bad_lines": bad_lines, "chunk": chunk}
        return predict_file(self.ranker, Path(queries), Path(out), k, hide_known=known == "hide", **options)

    def score(self, triples: Iterable[Sequence[Name]] | np.ndarray | Tensor) -> np.ndarray:
        """``(n,)`` float32 scores of triples (head, relation, tail) by name or id, as tails; higher is truer.

        Raises:
            InputError: there is none, a row has not three parts, or a name is unknown.
        """
        scores: np.ndarray = score_facts(self.ranker, self._ids(triples)).numpy()
        return scores

    def probability(self, triples: Iterable[Sequence[Name]] | np.ndarray | Tensor) -> np.ndarray:
        """``(n,)`` float64 probabilities that triples are facts, of what mixture `Calibration.meaning` says.

        Raises:
            InputError: the model is not calibrated, or see `score`.
        """
        if self.calibration is None:
            raise InputError("the model is not calibrated; dhns.calibrate(run) does so, then load it again")
        probabilities: np.ndarray = self.calibration.probability(torch.from_numpy(self.score(triples))).numpy()
        return probabilities

    def score_file(
        self, triples: str | Path, out: str | Path, bad_lines: BadLines = "stop", chunk: int = 8192
    ) -> FileReport:
        """Score a file of triples into another; see `dhns.training.answer_files.score_file`.

        Raises:
            InputError: see `predict_file`.
        """
        options: dict[str, Any] = {"calibration": self.calibration, "bad_lines": bad_lines, "chunk": chunk}
        return score_file(self.ranker, Path(triples), Path(out), **options)

    def discover(
        self,
        relations: Sequence[Name] | None = None,
        n: int = 100,
        each_relation: bool = False,
        candidates: Candidates = "seen",
    ) -> list[Discovery]:
        """The ``n`` most plausible triples that the graph does not hold; see `dhns.training.discovery.discover`.

        Raises:
            InputError: a relation is unknown.
        """
        chosen = None if relations is None else [_find(self.graph.relations, name) for name in relations]
        triples, scores = discover(self.ranker, chosen, n, each_relation, candidates)
        return [Discovery(**row) for row in discovery_rows(self.graph, triples, scores, self.calibration)]

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


def load(
    run: str | Path,
    device: str = "auto",
    dataset: Mapping[str, Any] | None = None,
    trust: Collection[str] = (),
) -> TrainedModel:
    """The trained model of a run's or a blend's folder or of a checkpoint file, with its graph.

    Args:
        run: of the run, wherever it lies now.
        device: ``auto``, or the name of a torch device.
        dataset: where the data lie, such as ``{"folder": "my_graph"}``, if not in the run's folder.
        trust: packages beside dhns whose classes the checkpoint may name.

    Raises:
        InputError: there is no readable checkpoint, its graph is not there or another, or it names foreign code.
    """
    with told():
        path = Path(run).expanduser()
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
        runs: folders or checkpoint files.
        folder: of the blend.
        weights: one per run; by default those of the best MRR on validation.
        device: ``auto``, or the name of a torch device.
        trust: see `load`.

    Raises:
        InputError: the runs are of different graphs, there is no validation split, or the folder is taken.
    """
    folder = Path(folder).expanduser()
    paths = [Path(run).expanduser() for run in runs]
    with told():
        result, _ = blend_runs(paths, folder, weights, device=choose_device(device), trusted=trust)
    return Run(folder, result)


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
    path = Path(run).expanduser()
    with told():
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


def _find(names: Vocabulary, part: Any) -> int:
    return names.find(f"id:{int(part)}" if isinstance(part, int | np.integer) else str(part))
