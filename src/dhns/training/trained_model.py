"""A trained model in Python: answers, scores, discoveries and embeddings; the commands do the same."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dhns.config.values import check_value, plain
from dhns.errors import InputError
from dhns.exchange.vectors import NamedVectors, require_format, write_vectors
from dhns.graph.candidates import Candidates
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.newcomers import graph_with, read_newcomers
from dhns.graph.readers.row_stream import as_name, find_part
from dhns.ranges import Count
from dhns.training.answer_files import BadLines, FileReport, predict_file, score_file
from dhns.training.blend import Blend
from dhns.training.calibration import Calibration
from dhns.training.discovery import discover, discovery_rows
from dhns.training.evaluation import rank_queries
from dhns.training.module import LinkPredictionModule
from dhns.training.new_entities import with_entities
from dhns.training.prediction import Query, answer_rows, predict_many, score_facts

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
        check_value("k", k := plain(k), Count)
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
            InputError: a relation is unknown, or none is given.
        """
        if relations is not None and (isinstance(relations, str) or not len(relations)):
            raise InputError(f"relations is {relations!r}; expected a list of some, or None for all")
        chosen = None if relations is None else [find_part(self.graph.relations, name) for name in relations]
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

    def with_entities(
        self,
        triples: Iterable[Sequence[Name]] = (),
        features: Mapping[str, Mapping[str, Any]] | None = None,
        labels: Mapping[str, str] | None = None,
        steps: int = 100,
    ) -> TrainedModel:
        """The model, told of entities that came after training; see `dhns.training.new_entities`.

        A calibration stays what it is: it was fitted without them.

        Args:
            triples: of new entities, with each other or with known ones.
            features: by modality, a vector by key of a new entity.
            labels: by key of a new entity, what to call it. Who has neither features nor a label is no new entity, but
                a name that is unknown.
            steps: of the fit to the triples.

        Raises:
            InputError: nothing is new, a name is unknown, a vector does not fit, or the model cannot take new entities.
        """
        vectors = features or {}
        keys = list(dict.fromkeys([*(labels or {}), *(key for rows in vectors.values() for key in rows)]))
        graph = graph_with(self.graph, keys, vectors, labels)
        rows = list(triples)
        return self._told(graph, to_ids(graph, rows) if rows else None, steps)

    def with_newcomers(self, folder: str | Path, steps: int = 100) -> TrainedModel:
        """As `with_entities`, of what a folder tells; see `dhns.graph.newcomers.read_newcomers`.

        What was guessed of its files is added to the notes of the graph.

        Raises:
            InputError: a file is missing or malformed, or see `with_entities`.
        """
        newcomers = read_newcomers(Path(folder).expanduser(), list(self.graph.modalities))
        return self._told(*newcomers.join(self.graph), steps)

    def _told(self, graph: KnowledgeGraph, triples: Tensor | None, steps: int) -> TrainedModel:
        if isinstance(self.ranker, Blend):
            members = [with_entities(member, graph, triples, steps) for member in self.ranker.members]  # type: ignore[arg-type]
            return TrainedModel(Blend(members, self.ranker.weights), self.calibration)
        return TrainedModel(with_entities(self.ranker, graph, triples, steps), self.calibration)

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
        return to_ids(self.graph, triples).to(self.ranker.device)


def to_ids(graph: KnowledgeGraph, triples: Iterable[Sequence[Name]] | np.ndarray | Tensor) -> Tensor:
    """``(n, 3)`` ids of triples by name or id.

    Raises:
        InputError: there is none, a row has not three parts, or a name is unknown.
    """
    if isinstance(triples, Tensor):
        triples = triples.cpu().numpy()
    rows = [list(row) for row in triples]
    if not rows:
        raise InputError("there are no triples; give some as (head, relation, tail)")
    if wrong := next((row for row in rows if len(row) != 3), None):
        raise InputError(f"{wrong} is no triple; expected (head, relation, tail)")
    names = (graph.entities, graph.relations, graph.entities)
    ids = [[find_part(vocabulary, part) for vocabulary, part in zip(names, row, strict=True)] for row in rows]
    return torch.tensor(ids)
