"""KBGAN: a generator learns which negatives the model finds hard (Cai & Wang, NAACL 2018, arXiv 1711.04071)."""

from __future__ import annotations

import torch
from torch import Tensor

from dhns.encoders.structural import StructuralEncoder
from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.models.batch import Negatives
from dhns.models.current_scores import current_scores
from dhns.models.kge_model import KGEModel
from dhns.negatives.bernoulli import BernoulliSampler
from dhns.optim.optimization import Optimization
from dhns.ranges import BelowOne, Count
from dhns.scorers.scorer import Scorer


class KBGAN(BernoulliSampler):
    """Each negative is drawn from a few uniform candidates by a small KGE model, the generator of a GAN.

    The generator's chances are the softmax of its scores over the candidates. The model that is trained is the
    discriminator, and its score of the negative, the paper's negative distance, is the reward ``r``. The generator
    learns by REINFORCE (the paper's Eq. 6): its loss is the mean of ``-(r - b) log p(negative)`` with a baseline ``b``.

    Departures: the baseline is a moving average over batches, which starts at the first batch's mean; in the paper it
    is the mean of the last epoch. Any number of negatives per positive, each from candidates of its own; the paper has
    one. Both models start untrained; the paper trains both beforehand. Training the generator first made no difference
    that we could measure on the embedded graph.

    Args:
        graph: see `EntitySampler`.
        scorer: of the generator; its vectors are its own, and features of the graph are not used.
        optimization: of the generator. The paper's weight decay goes there.
        num_negatives: N, negatives per positive.
        candidates: C, uniform candidates per negative; N C of them are scored by the generator per positive.
        decay: what is left of the moving average after a step, from 0 to below 1.
        filtered: no candidate is a known training answer.

    Raises:
        InputError: a number is out of range.
    """

    baseline: Tensor

    def __init__(
        self,
        graph: KnowledgeGraph,
        scorer: Scorer,
        optimization: Optimization,
        num_negatives: Count = 16,
        candidates: Count = 20,
        decay: BelowOne = 0.99,
        filtered: bool = True,
    ) -> None:
        super().__init__(graph, num_negatives, filtered)
        if candidates < 2:
            raise InputError(f"negatives.candidates is {candidates}; expected at least 2, to choose from")
        if not 0 <= decay < 1:
            raise InputError(f"negatives.decay is {decay}; expected a number from 0 to below 1")
        self.optimization = optimization
        self.candidates = candidates
        self.decay = decay
        self.generator_model = KGEModel(StructuralEncoder(graph, scorer), scorer, graph.num_relations)
        self.register_buffer("baseline", torch.tensor(torch.nan))

    def forward(self, triples: Tensor, step: int, rng: torch.Generator, model: KGEModel) -> Negatives:
        queries = self.ask(triples, step, rng)
        candidate = self.draw(queries, self.num_negatives * self.candidates, rng)
        score = self.generator_model.score_candidates(queries, candidate)
        log_chance = score.view(-1, self.candidates).log_softmax(-1)
        try:
            chosen = torch.multinomial(log_chance.detach().exp(), 1, generator=rng)
        except RuntimeError as error:  # chances that are none
            raise InputError(
                f"the generator of KBGAN has diverged ({error}); lower negatives.optimization.optimizer.lr or "
                "negatives.scorer.init_range"
            ) from None
        entity = candidate.view(-1, self.candidates).gather(1, chosen).view(len(triples), -1)
        reward = current_scores(model, queries, entity)
        loss = -(self._advantage(reward) * log_chance.gather(1, chosen).view_as(reward)).mean()
        return Negatives(queries, entity, loss=loss)

    def _advantage(self, reward: Tensor) -> Tensor:
        """Rewards less the baseline, which then moves toward their mean."""
        mean = reward.mean()
        baseline = torch.where(self.baseline.isnan(), mean, self.baseline)
        self.baseline.copy_(self.decay * baseline + (1 - self.decay) * mean)
        return reward - baseline
