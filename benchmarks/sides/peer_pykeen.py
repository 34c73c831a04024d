"""PyKEEN, by its own training loops and its evaluator."""

from __future__ import annotations

from typing import Any

import torch
from pykeen.evaluation import RankBasedEvaluator
from pykeen.models import ComplEx, Model, RotatE
from pykeen.training import LCWATrainingLoop, SLCWATrainingLoop, TrainingCallback, TrainingLoop
from pykeen.triples import CoreTriplesFactory

from benchmarks.graphs import count, read_triples
from benchmarks.turns import Turns, TurnsOfSteps

ENDLESS = 10**6
EVALUATION_BATCH = 32
"""What PyKEEN takes on a processor if it is not told a size."""


class TurnsOfTraining(TrainingCallback):  # type: ignore[misc]
    """A turn is a number of steps."""

    def __init__(self, turns: TurnsOfSteps) -> None:
        super().__init__()
        self._turns = turns

    # after a batch this would come before the optimizer's step
    def pre_batch(self, **kwargs: Any) -> None:
        self._turns.before_step()


def train_rotate(turns: Turns, folder: str, dim: int, batch_size: int, negatives: int, steps: int) -> None:
    """RotatE on sampled negatives (sLCWA), counted in positives.

    Distances are sums of moduli (p = 1), as in the paper of RotatE and in this project; PyKEEN's default is p = 2.
    """
    factory = _factory(folder)
    torch.manual_seed(0)
    model = RotatE(
        triples_factory=factory,
        embedding_dim=dim,
        interaction_kwargs={"p": 1},
        loss="nssa",
        loss_kwargs={"margin": 9.0, "adversarial_temperature": 1.0},
    )
    loop = SLCWATrainingLoop(
        model=model, triples_factory=factory, optimizer="Adam", negative_sampler_kwargs={"num_negs_per_pos": negatives}
    )
    # full batches only
    _train(loop, factory, batch_size, TurnsOfSteps(turns, steps, steps * batch_size), drop_last=True)


def train_complex(turns: Turns, folder: str, dim: int, batch_size: int, steps: int) -> None:
    """ComplEx with cross entropy over all entities (LCWA) on both directions, counted in epochs."""
    factory = _factory(folder, inverse=True)
    torch.manual_seed(0)
    model = ComplEx(triples_factory=factory, embedding_dim=dim, loss="crossentropy")
    loop = LCWATrainingLoop(model=model, triples_factory=factory, optimizer="Adagrad")
    queries = len(torch.unique(factory._add_inverse_triples_if_necessary(factory.mapped_triples)[:, :2], dim=0))
    epoch = -(-queries // batch_size)
    _train(loop, factory, batch_size, TurnsOfSteps(turns, steps, steps / epoch), drop_last=False)


def rank(turns: Turns, folder: str, model: str, dim: int, triples: int) -> None:
    """Filtered ranking of a random part of the test split, both sides, by an untrained model."""
    factory = _factory(folder)
    torch.manual_seed(0)
    ranked: Model = {"rotate": _rotate, "complex": ComplEx}[model](triples_factory=factory, embedding_dim=dim)
    test = torch.from_numpy(read_triples(folder, "test"))
    chosen = test[torch.randperm(len(test))[:triples]]
    known = [factory.mapped_triples, torch.from_numpy(read_triples(folder, "valid")), test]
    turns.repeat(
        lambda: RankBasedEvaluator(filtered=True).evaluate(
            ranked, chosen, batch_size=EVALUATION_BATCH, additional_filter_triples=known, use_tqdm=False
        ),
        amount=triples / len(test),
    )


def _rotate(**options: Any) -> Model:
    return RotatE(interaction_kwargs={"p": 1}, **options)


def _factory(folder: str, inverse: bool = False) -> CoreTriplesFactory:
    return CoreTriplesFactory(
        torch.from_numpy(read_triples(folder, "train")),
        num_entities=count(folder, "entity"),
        num_relations=count(folder, "relation"),
        create_inverse_triples=inverse,
    )


def _train(
    loop: TrainingLoop[Any, Any], factory: CoreTriplesFactory, batch_size: int, turns: TurnsOfSteps, drop_last: bool
) -> None:
    loop.train(
        factory,
        num_epochs=ENDLESS,
        batch_size=batch_size,
        drop_last=drop_last,
        use_tqdm=False,
        callbacks=TurnsOfTraining(turns),
        pin_memory=False,
    )
