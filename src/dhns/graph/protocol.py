"""Evaluation protocols: which triples validate, select and filter, stated once and stored with every result."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.overlap import contamination
from dhns.graph.repairs import TrainAndTest, leave_out_contamination, part_train_from_test
from dhns.graph.splits import Together, carve_validation
from dhns.graph.triple_sets import distinct
from dhns.ranges import InnerFraction, Seed

_WITHOUT_VALIDATION = "protocol=as_published protocol.select=last_epoch"
Validation = Literal["published", "carved_if_contaminated"]
Select = Literal["best_valid", "last_epoch"]
Ties = Literal["realistic"]


@dataclass(frozen=True)
class Protocol:
    """How a data set is validated, selected on and ranked. Nothing here ever selects on test.

    Attributes:
        name: for results and tables.
        validation: ``published`` takes the validation set as it is. ``carved_if_contaminated`` leaves out its rows that
            repeat another or are training or test triples, and if that leaves less than half of the rows, or there are
            none, takes a new set out of train.
        carve: how such a set is taken. ``triple`` draws triples, so that train links as many of their pairs as of a
            test set that was drawn so: a guide to what test will say. ``pair`` takes all triples of a pair of entities
            or none: a test of what cannot be copied, and how sets were carved before there was a choice.
        carve_fraction: share of train that a carved validation set takes.
        carve_seed: of that choice.
        select: the checkpoint that is ranked on test: of the best validation MRR, or the last.
        allow_contaminated_selection: let ``best_valid`` look at a validation set that overlaps train or test.
        ties: the rule of the headline metrics; results hold the optimistic and pessimistic ones beside it.
        in_train_and_test: what becomes of triples that both hold: ``keep`` (and say so), ``drop_from_test`` or
            ``drop_from_train``.
    """

    name: str
    validation: Validation
    carve_fraction: InnerFraction = 0.05
    carve_seed: Seed = 0
    select: Select = "best_valid"
    allow_contaminated_selection: bool = False
    ties: Ties = "realistic"
    in_train_and_test: TrainAndTest = "keep"
    carve: Together = "pair"

    def __post_init__(self) -> None:
        choices = {"validation": Validation, "select": Select, "ties": Ties, "in_train_and_test": TrainAndTest}
        choices |= {"carve": Together}
        for key, allowed in choices.items():
            if getattr(self, key) not in get_args(allowed):
                raise InputError(f"protocol.{key} is '{getattr(self, key)}'; expected {' or '.join(get_args(allowed))}")
        if not 0 < self.carve_fraction < 1:
            raise InputError(f"protocol.carve_fraction is {self.carve_fraction}; expected a share between 0 and 1")

    def prepare(self, graph: KnowledgeGraph) -> KnowledgeGraph:
        """The graph to train and rank on: ``graph`` itself, or a copy whose notes say what was left out or carved.

        Raises:
            InputError: no validation set can be carved out of train, or nothing is left to train on.
        """
        graph = part_train_from_test(graph, self.in_train_and_test)
        if self.validation == "published" or contamination(graph).is_hold_out:
            return graph
        mended = leave_out_contamination(graph)
        if len(graph.valid) and 2 * len(mended.valid) >= len(graph.valid):
            return mended
        try:
            return carve_validation(graph, self.carve_fraction, self.carve_seed, self.carve)
        except InputError as error:
            raise InputError(
                f"{graph.name} has no validation set to use, and none can be carved out of what is in train and not in "
                f"test: {error}; or add {_WITHOUT_VALIDATION}, to train for a fixed number of epochs without one"
            ) from None

    def check_selection(self, graph: KnowledgeGraph) -> None:
        """Refuse to select on a validation set that is no hold-out.

        Args:
            graph: as :meth:`prepare` gave it.

        Raises:
            InputError: ``best_valid`` would look at triples of train or test, or there are no validation triples.
        """
        if self.select == "last_epoch":
            return
        found = contamination(graph)
        ways_out = (
            "protocol=clean (leaves such triples out, or validates on triples carved out of train), "
            "protocol.select=last_epoch (trains for a fixed number of epochs)"
        )
        if found.rows == 0:
            raise InputError(f"{graph.name} has no validation triples to select on; use {ways_out}")
        if found.overlaps and not self.allow_contaminated_selection:
            raise InputError(
                f"the validation set of {graph.name} is no hold-out: of its {found.triples:,} distinct triples "
                f"{found.in_train:,} are training triples and {found.in_test:,} are test triples, so selecting on it "
                f"rewards memorising train and looks at test. Use {ways_out}, or, to repeat the mistake knowingly, "
                "protocol.allow_contaminated_selection=true"
            )

    def describe(self) -> dict[str, Any]:
        """The protocol as plain values, for the result file."""
        return asdict(self) | {"filter": "train + valid + test + filter_only"}


def known_triples(graph: KnowledgeGraph) -> Tensor:
    """The ``(n, 3)`` distinct triples that the filtered ranking leaves out: of all splits and ``filter_only``."""
    return distinct(torch.cat([graph.triples("train", "valid", "test"), graph.filter_only]))
