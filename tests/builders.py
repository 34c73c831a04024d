"""What several test files build."""

import functools

import torch
from hydra import compose, initialize_config_dir
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dhns.compat import composing_quickly
from dhns.config.resolvers import register_resolvers
from dhns.encoders.attention_fusion import AttentionFusion
from dhns.generators.generator import GeneratedNegatives
from dhns.models.batch import EmbeddedPositives
from dhns.models.kge_model import KGEModel
from dhns.resources import conf_dir

SMALL = ("scorer.dim=8", "++negatives.num_negatives=4", "data.batch_size=8", "seed=3")


@functools.cache
def _composed(*overrides):
    register_resolvers()
    # quickly also where a list of tests is made, before the fixture of all has begun
    with composing_quickly(), initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
        config = compose("train", overrides=[*SMALL, *overrides])
    if "_target_" not in config.negatives:
        config.negatives = {}
    return config


def composed(*overrides):
    """The training configuration at toy size, composed as the command line composes it."""
    return _composed(*overrides).copy()


def small_model(graph, scorer, dtype=torch.float64):
    """A fusing model whose attention is far from uniform."""
    torch.manual_seed(0)
    model = KGEModel(AttentionFusion(graph, scorer), scorer, graph.num_relations).to(dtype)
    with torch.no_grad():
        model.encoder.attention.weight.mul_(5)
    return model


def embedded(model, triples):
    """Positives ``(B, 3)`` as the training step embeds them."""
    encoded, (head, tail) = model.encode_distinct(triples[:, 0], triples[:, 2])
    return EmbeddedPositives(encoded.rows(head), model.relations[triples[:, 1]], encoded.rows(tail))


def noise_negatives(positives, levels, seed=0):
    """Random embeddings in the place of a generator's."""
    generator = torch.Generator().manual_seed(seed)
    shape = (levels, 2, *positives.head.joint.shape)
    views = {name: 0.5 * torch.randn(shape, generator=generator, dtype=torch.float64) for name in positives.head.views}
    present = dict(zip(views, positives.present(tuple(views)), strict=True))
    return GeneratedNegatives(positives, views, present)


class Largest(TorchDispatchMode):
    """The largest tensor that an operation gave back, in numbers."""

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        tensors = [tensor for tensor in tree_leaves(found) if isinstance(tensor, torch.Tensor)]
        # a view of what is there, such as an expanded one, takes nothing
        self.numbers = max([self.numbers, *(tensor.untyped_storage().nbytes() // 4 for tensor in tensors)])
        return found
