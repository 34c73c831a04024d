"""Samplers see the scores that ranking sees, and leave no trace."""

import copy

import torch
from torch import nn

from dhns.graph.queries import Queries
from dhns.models.current_scores import current_scores


class Moody(nn.Module):
    """Scores through dropout and batch statistics; one part is frozen in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.arange(12.0).view(6, 2))
        self.norm, self.drop, self.frozen = nn.BatchNorm1d(2), nn.Dropout(0.9), nn.Dropout(0.5)

    def score_candidates(self, queries, candidates):
        rows = self.frozen(self.drop(self.norm(self.table)))
        return torch.where(queries.head_side[:, None], -1, 1) * rows[candidates].sum(-1) + queries.entity[:, None]


def test_scores_are_those_of_evaluation_and_leave_no_trace():
    torch.manual_seed(0)
    model = Moody().train()
    model.frozen.eval()
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    queries = Queries(torch.tensor([3, 5]), torch.tensor([0, 0]), torch.tensor([False, True]))
    scores = current_scores(model, queries, torch.tensor([[0, 1], [2, 3]]))
    # rows (0, 1), (2, 3) ... have the sums 1, 5, 9, 13; running mean 0, running variance 1 + 1e-5
    expected = torch.tensor([[3 + 1, 3 + 5], [5 - 9, 5 - 13]])
    torch.testing.assert_close(scores, expected.float(), atol=1e-3, rtol=0)
    assert not scores.requires_grad
    assert (model.training, model.norm.training, model.drop.training, model.frozen.training) == (
        True,
        True,
        True,
        False,
    )
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
