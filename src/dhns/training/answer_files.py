"""Files of queries and of triples, answered and scored by the chunk."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, TextIO, TypeVar

import torch

from dhns.errors import InputError
from dhns.files import replacing, require_apart
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.readers.row_stream import Fault, Row, RowStream, as_name, triple_ids
from dhns.graph.triple_sets import Places
from dhns.progress import Advance, progress
from dhns.results.record_stream import Columns, record_stream, require_stream_kind
from dhns.training.calibration import Calibration
from dhns.training.prediction import Answer, Query, predict_many, score_facts
from dhns.training.ranker import Ranker, ranking

T = TypeVar("T")
BadLines = Literal["stop", "skip"]
SHOWN = 10
"""Bad lines that are told of; all of them are in the file."""
_TRIPLE: Columns = {"line": int, "head": str, "relation": str, "tail": str}
ANSWER_COLUMNS: Columns = {**_TRIPLE, "asked": str, "rank": int, "label": str, "score": float, "known": str}
SCORE_COLUMNS: Columns = {**_TRIPLE, "score": float, "known": str}
PROBABILITY: Columns = {"probability": float}
ACCEPTED: Columns = {"accepted": bool}


@dataclass
class FileReport:
    """What became of a file.

    Attributes:
        read: rows that were answered.
        written: rows of the file that came out.
        skipped: bad lines.
        faults: the first of them, in words.
        skipped_file: where all of them are, if there are any.
        notes: what was guessed.
    """

    read: int = 0
    written: int = 0
    skipped: int = 0
    faults: list[str] = field(default_factory=list)
    skipped_file: Path | None = None
    notes: list[str] = field(default_factory=list)


class _Read(NamedTuple):
    """A line, and what it says as ids."""

    number: int
    query: Query


def predict_file(
    ranker: Ranker,
    queries: Path,
    out: Path,
    k: int = 10,
    *,
    hide_known: bool = False,
    calibration: Calibration | None = None,
    bad_lines: BadLines = "stop",
    chunk: int = 1024,
) -> FileReport:
    """Write the ``k`` best answers to every query of a file, a row each; see `ANSWER_COLUMNS`.

    A query gives two of head, relation and tail, see `RowStream`. Memory is that of one chunk.

    Args:
        ranker: what scores.
        queries: file of queries.
        out: file of answers, see `require_stream_kind`; whole at the end, or not there.
        k: answers per query.
        hide_known: leave facts of the graph out.
        calibration: of the ranker, for a column of probabilities.
        bad_lines: stop at the first, or skip them and list them in a file beside ``out``.
        chunk: queries that are held at once.

    Raises:
        InputError: a file cannot be read or written, or a line is bad and ``bad_lines`` is ``stop``.
    """
    graph = ranker.graph
    columns = {**ANSWER_COLUMNS, **(PROBABILITY if calibration else {})}
    with _work(graph, queries, out, columns, bad_lines, chunk, "Answering", whole=False) as work:
        waiting: list[_Read] = []

        def asked() -> Iterator[Query]:
            for read in work.rows:
                waiting.append(read)
                yield read.query

        answered = predict_many(ranker, asked(), k, hide_known, calibration, chunk)
        for found in _chunks(answered, chunk):
            done, waiting[:] = waiting[: len(found)], waiting[len(found) :]
            work.write(
                record
                for read, answers in zip(done, found, strict=True)
                for record in _answer_records(graph, read, answers, calibration is not None)
            )
    return work.report


def score_file(
    ranker: Ranker,
    triples: Path,
    out: Path,
    *,
    calibration: Calibration | None = None,
    bad_lines: BadLines = "stop",
    chunk: int = 8192,
) -> FileReport:
    """Write the score of every triple of a file, a row each; see `SCORE_COLUMNS`. Arguments are as of `predict_file`.

    A calibrated model adds the probability, and whether the score reaches the threshold of the relation.

    Raises:
        InputError: see `predict_file`.
    """
    graph = ranker.graph
    columns = {**SCORE_COLUMNS, **({**PROBABILITY, **ACCEPTED} if calibration else {})}
    with _work(graph, triples, out, columns, bad_lines, chunk, "Scoring", whole=True) as work, ranking(ranker):
        places = Places(graph)
        for rows in _chunks(work.rows, chunk):
            ids = torch.tensor([[row.query.head, row.query.relation, row.query.tail] for row in rows])
            scores = score_facts(ranker, ids)
            judged: list[dict[str, Any]] = [{}] * len(rows)
            if calibration:
                probabilities = calibration.probability(scores).tolist()
                accepted = calibration.accepted(scores, ids[:, 1], graph).tolist()
                judged = [{"probability": p, "accepted": a} for p, a in zip(probabilities, accepted, strict=True)]
            work.write(
                {**_keys(graph, row, triple), "score": score, "known": ", ".join(known), **more}
                for row, triple, score, known, more in zip(
                    rows, ids.tolist(), scores.tolist(), places.of(ids), judged, strict=True
                )
            )
    return work.report


def _answer_records(
    graph: KnowledgeGraph, read: _Read, answers: list[Answer], calibrated: bool
) -> Iterator[dict[str, Any]]:
    query, names = read.query, read.query.vocabulary(graph)
    parts = query.triples(torch.tensor([answer.candidate for answer in answers], dtype=torch.int64)).tolist()
    for rank, (answer, triple) in enumerate(zip(answers, parts, strict=True), start=1):
        yield {
            **_keys(graph, read, triple),
            "asked": query.asked,
            "rank": rank,
            "label": names.labels[answer.candidate],
            "score": answer.score,
            "known": ", ".join(answer.known_in),
            **({"probability": answer.probability} if calibrated else {}),
        }


def _keys(graph: KnowledgeGraph, read: _Read, triple: list[int]) -> dict[str, Any]:
    head, relation, tail = triple
    entities, relations = graph.entities.keys, graph.relations.keys
    return {"line": read.number, "head": entities[head], "relation": relations[relation], "tail": entities[tail]}


class _Work:
    """Rows of one file, in, and of another, out."""

    def __init__(self, rows: Iterator[_Read], report: FileReport, write: Any) -> None:
        self.rows, self.report, self._write = rows, report, write

    def write(self, records: Iterable[dict[str, Any]]) -> None:
        """Write rows, and count them."""
        some = list(records)
        self._write(some)
        self.report.written += len(some)


@contextmanager
def _work(
    graph: KnowledgeGraph,
    path: Path,
    out: Path,
    columns: Columns,
    bad_lines: BadLines,
    chunk: int,
    doing: str,
    whole: bool,
) -> Iterator[_Work]:
    if bad_lines not in ("stop", "skip"):
        raise InputError(f"bad_lines is '{bad_lines}'; expected stop or skip")
    if chunk < 1:
        raise InputError(f"chunk is {chunk}; at least 1 line has to be held at once")
    require_stream_kind(out)
    bad = out.with_suffix(".bad.tsv")
    require_apart(out, path)
    if bad.resolve() == path.resolve():
        raise InputError(f"{path} is where the bad lines of out={out} are listed; give another out")
    stream, report = RowStream(path), FileReport()
    with ExitStack() as files:
        advance = files.enter_context(progress(doing, stream.count()))
        write = files.enter_context(record_stream(out, columns))
        skipped = _Skipped(bad, files)
        yield _Work(_resolved(graph, stream, report, skipped, bad_lines, advance, whole), report, write)
    if not report.skipped:
        bad.unlink(missing_ok=True)  # of an earlier call
    report.notes += stream.notes


class _Skipped:
    """The file of bad lines, which is there only if there are any."""

    def __init__(self, path: Path, files: ExitStack) -> None:
        self.path, self._files = path, files
        self._file: TextIO | None = None

    def add(self, number: int, words: str) -> None:
        """List a line."""
        if self._file is None:
            binary = self._files.enter_context(replacing(self.path))
            self._file = io.TextIOWrapper(binary, encoding="utf-8", errors="backslashreplace", newline="")
            self._files.callback(self._file.detach)  # which flushes
            self._file.write("line\tfault\n")
        csv.writer(self._file, delimiter="\t", lineterminator="\n").writerow([number, words])


def _resolved(
    graph: KnowledgeGraph,
    stream: RowStream,
    report: FileReport,
    skipped: _Skipped,
    bad_lines: BadLines,
    advance: Advance,
    whole: bool,
) -> Iterator[_Read]:
    """The good lines of a file; bad ones stop, or are listed."""
    last = 0
    for row in stream:
        advance(row.number - last)
        last = row.number
        try:
            query = _ids(graph, row, whole, suggest=bad_lines == "stop")
        except InputError as error:
            words = f"{stream.unit} {row.number}: {error}"
            if bad_lines == "stop":
                raise InputError(f"{stream.path}, {words}; bad_lines=skip leaves such {stream.unit}s out") from None
            skipped.add(row.number, str(error))
            report.skipped, report.skipped_file = report.skipped + 1, skipped.path
            report.faults += [words] * (report.skipped <= SHOWN)
            continue
        report.read += 1
        yield _Read(row.number, query)


def _ids(graph: KnowledgeGraph, row: Row | Fault, whole: bool, suggest: bool) -> Query:
    """What a row says; without one part, or whole.

    Raises:
        InputError: it is bad.
    """
    if whole:
        return Query(*triple_ids(graph, row, suggest))
    if isinstance(row, Fault):
        raise InputError(row.words)
    return Query.parse(graph, *map(as_name, (row.head, row.relation, row.tail)), suggest=suggest)


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    waiting = iter(items)
    while some := list(islice(waiting, size)):
        yield some
