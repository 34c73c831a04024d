"""Rows left out of splits, and told: those that would be learnt or counted twice, or that train gives away."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.triple_sets import first_of_equals, occur_in

TrainAndTest = Literal["keep", "drop_from_test", "drop_from_train"]


def leave_out_contamination(graph: KnowledgeGraph) -> KnowledgeGraph:
    """A graph whose validation rows are each once and in no other split; a note counts those that were left out."""
    valid = graph.valid
    in_train = occur_in(valid, graph.train, graph)
    in_test = occur_in(valid, graph.test, graph) & ~in_train
    repeated = ~first_of_equals(valid) & ~in_train & ~in_test
    left_out = in_train | in_test | repeated
    reasons = (
        (in_train, "is a training triple", "are training triples"),
        (in_test, "is a test triple", "are test triples"),
        (repeated, "repeats another row", "repeat another row"),
    )
    counts = ((int(rows.sum()), one, more) for rows, one, more in reasons)
    told = ", ".join(f"{count:,} {one if count == 1 else more}" for count, one, more in counts if count)
    note = (
        f"{int(left_out.sum()):,} of {len(valid):,} validation rows left out: {told} (protocol.validation=published "
        "keeps all)"
    )
    return replace(graph, valid=valid[~left_out], notes=(*graph.notes, note))


def part_train_from_test(graph: KnowledgeGraph, how: TrainAndTest) -> KnowledgeGraph:
    """Tell of triples that are in both train and test, and leave them out of one of the two if asked to.

    Raises:
        InputError: every training triple is a test triple, and they are to be left out of train.
    """
    in_train, in_test = occur_in(graph.test, graph.train, graph), occur_in(graph.train, graph.test, graph)
    if not in_train.any():
        return graph
    shared = f"{int(in_train.sum()):,} of {len(graph.test):,} test rows are training rows"
    if how == "drop_from_test":
        note = f"{shared}, and were left out of test (protocol.in_train_and_test=keep keeps them)"
        return replace(graph, test=graph.test[~in_train], notes=(*graph.notes, note))
    if how == "drop_from_train":
        if in_test.all():
            raise InputError(f"{graph.name}: all training triples are test triples; nothing is left to train on")
        note = (
            f"{int(in_test.sum()):,} of {len(graph.train):,} training rows are test rows, and were left out of train "
            "(protocol.in_train_and_test=keep keeps them)"
        )
        return replace(graph, train=graph.train[~in_test], notes=(*graph.notes, note))
    note = f"{shared}: their answers are learnt by heart (protocol.in_train_and_test=drop_from_test leaves them out)"
    return replace(graph, notes=(*graph.notes, note))
