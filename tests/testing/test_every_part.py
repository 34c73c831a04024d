"""Every part that ships keeps the promises of its kind, as a part of another package would be held to them."""

import importlib
import inspect
import pkgutil
import typing
from functools import partial

import pytest
import torch
from hydra.utils import get_object, instantiate
from omegaconf import OmegaConf
from torch.nn.functional import normalize

import dhns
from builders import composed
from dhns.encoders.attention_fusion import AttentionFusion
from dhns.encoders.encoder import EntityEncoder
from dhns.encoders.structural import StructuralEncoder
from dhns.generators.generator import NegativeGenerator
from dhns.losses.loss import AllEntityLoss, SampledLoss
from dhns.models.kge_model import KGEModel
from dhns.negatives.sampler import NegativeSampler
from dhns.resources import conf_dir
from dhns.scorers.complex import ComplEx
from dhns.scorers.distmult import DistMult
from dhns.scorers.gc_ote import GCOTE
from dhns.scorers.late_fusion import LateFusion
from dhns.scorers.ote import OTE
from dhns.scorers.pairre import PairRE
from dhns.scorers.quate import QuatE
from dhns.scorers.rescal import RESCAL
from dhns.scorers.rotate import RotatE
from dhns.scorers.rsme import RSME
from dhns.scorers.scorer import Scorer
from dhns.scorers.transd import TransD
from dhns.scorers.transe import TransE
from dhns.scorers.transh import TransH
from dhns.scorers.tucker import TuckER
from dhns.scorers.view_energies import ViewEnergies
from dhns.testing import check_encoder, check_generator, check_loss, check_sampler, check_scorer
from dhns.testing.small_world import fusing_model

FOUR_PAIRS = [[0, 0], [1, 1], [1, 0], [0, 1]]


def drawn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def with_contexts(count):
    """What GC-OTE takes: the entity, two contexts, and the numbers of their edges."""
    return torch.cat([drawn(count, 18), torch.arange(1, 2 * count + 1).view(count, 2)], dim=1)


def with_images(count):
    """What RSME takes: an embedding and unit image coordinates, which the last entity lacks."""
    images = normalize(drawn(count, 3), dim=1)
    images[-1] = 0
    return torch.cat([drawn(count, 4), images], dim=1)


SCORERS = {
    "complex": (lambda: ComplEx(3), {}),
    "distmult": (lambda: DistMult(3), {}),
    "gc_ote": (lambda: GCOTE(6, 3), {"entities": with_contexts}),
    "gc_ote-bare": (lambda: GCOTE(6, 3), {}),
    "late_fusion": (lambda: LateFusion(3, [ComplEx, RotatE]), {"entities": lambda count: drawn(count, 12)}),
    "late_fusion-prepared": (
        lambda: LateFusion(6, [partial(OTE, group=3), DistMult]),
        {"entities": lambda count: drawn(count, 12)},
    ),
    "ote": (lambda: OTE(6, 3), {}),
    "pairre": (lambda: PairRE(3), {}),
    "quate": (lambda: QuatE(2), {}),
    "rescal": (lambda: RESCAL(3), {}),
    "rotate": (lambda: RotatE(3), {}),
    "rsme": (lambda: RSME(2), {"entities": with_images}),
    "transd": (lambda: TransD(3), {}),
    "transd-unit-l2": (lambda: TransD(3, norm="l2", normalize=True), {}),
    "transe": (lambda: TransE(3), {}),
    "transe-unit": (lambda: TransE(3, normalize=True), {}),
    "transe-l2": (lambda: TransE(3, norm="l2_squared"), {}),
    "transh": (lambda: TransH(3), {}),
    "transh-l2": (lambda: TransH(3, norm="l2"), {}),
    "tucker": (lambda: TuckER(4, 3), {"sides": "tail"}),
    "tucker-plain": (lambda: TuckER(4, 3, normalize=False), {}),
    "ikrl": (lambda: ViewEnergies(TransE, 3, 9.0, FOUR_PAIRS), {"entities": lambda count: drawn(count, 6)}),
    "vbkgc": (lambda: ViewEnergies(RotatE, 3, 9.0, FOUR_PAIRS, "mean"), {"entities": lambda count: drawn(count, 12)}),
}


@pytest.mark.parametrize(("make", "options"), SCORERS.values(), ids=SCORERS.keys())
def test_scorers(make, options):
    check_scorer(make, **options)


def models_by_encoder():
    """The first model of `conf/model` for each encoder, however it is set."""
    models = {}
    for path in sorted((conf_dir() / "model").glob("*.yaml")):
        models.setdefault(OmegaConf.to_yaml(composed(f"model={path.stem}").encoder), path.stem)
    return [*models.values()]


@pytest.mark.parametrize("model", models_by_encoder())
def test_encoders_under_the_scorer_of_a_model(model):
    config = composed(f"model={model}")
    check_encoder(instantiate(config.encoder), scorer=lambda: instantiate(config.scorer))


@pytest.mark.parametrize(
    "options",
    [{"absent": "zero"}, {"absent": "mean"}, {"absent": "learned"}, {"train_features": True}, {"fusion": "structure"}],
    ids=str,
)
def test_encoders_by_their_settings(options):
    check_encoder(lambda graph, scorer: AttentionFusion(graph, scorer, **options))


@pytest.mark.parametrize("name", sorted({path.stem for path in (conf_dir() / "negatives").glob("*.yaml")} - {"all"}))
def test_samplers(name):
    config = composed("ablation=no_diffheg")
    config.negatives = OmegaConf.load(conf_dir() / "negatives" / f"{name}.yaml")
    config.negatives.num_negatives = 50
    check_sampler(instantiate(config.negatives), lambda graph: fusing_model(graph, instantiate(config.scorer)))


@pytest.mark.parametrize("scorer", [TransE, DistMult, ComplEx, RotatE])
@pytest.mark.parametrize("name", ["nscaching", "kbgan", "hardest"])
def test_samplers_that_ask_the_model_take_any(name, scorer):
    def model(graph):
        made = scorer(dim=8)
        return KGEModel(StructuralEncoder(graph, made), made, graph.num_relations)

    config = OmegaConf.load(conf_dir() / "negatives" / f"{name}.yaml")
    config.num_negatives = 50
    check_sampler(instantiate(config), model)


GENERATORS = sorted({path.stem for path in (conf_dir() / "generator").glob("*.yaml")} - {"none"})


@pytest.mark.parametrize("name", GENERATORS)
def test_generators(name):
    check_generator(instantiate(composed(f"generator={name}").generator.model))


@pytest.mark.parametrize(
    "options", [{"rows": 4}, {"copies": 2}, {"multimodal": False}, {"detach_inputs": False}], ids=str
)
def test_generators_by_their_settings(options):
    config = composed("generator=default").generator.model
    config.update(options)
    check_generator(instantiate(config))


@pytest.mark.parametrize("name", models_by_encoder())
def test_generators_serve_every_model(name):
    """Views one by one against joint embeddings that hold more: several views, images, contexts."""
    config = composed(f"model={name}")

    def model(graph):
        scorer = instantiate(config.scorer)
        encoder = instantiate(config.encoder)(graph=graph, scorer=scorer)
        encoder.start_epoch(1000)
        return KGEModel(encoder, scorer, graph.num_relations)

    check_generator(instantiate(composed("generator=gaussian").generator.model), model)


@pytest.mark.parametrize("name", sorted(path.stem for path in (conf_dir() / "loss").glob("*.yaml")))
def test_losses(name):
    config = OmegaConf.load(conf_dir() / "loss" / f"{name}.yaml")
    check_loss(lambda: instantiate(config))


# --- that all are among them -----------------------------------------------------------------------------------------


def shipped(package, *bases):
    """The concrete classes of a kind that a package defines."""
    root = importlib.import_module(f"dhns.{package}")
    names = [found.name for found in pkgutil.walk_packages(root.__path__, f"{root.__name__}.")]
    modules = [importlib.import_module(name) for name in names]
    members = {member for module in modules for _, member in inspect.getmembers(module, inspect.isclass)}
    return {
        member
        for member in members
        if issubclass(member, bases) and not inspect.isabstract(member) and member.__module__.startswith(dhns.__name__)
    }


def targets(group):
    """The classes that the files of a group name, for themselves or as the model of a generator."""
    nodes = [OmegaConf.load(path) for path in (conf_dir() / group).glob("*.yaml")]
    names = [OmegaConf.select(node, key) for node in nodes for key in ("_target_", "model._target_")]
    return {made_by(name) for name in names if name}


def made_by(name):
    """A class, or that of what a function makes."""
    found = get_object(name)
    made = found if inspect.isclass(found) else typing.get_type_hints(found)["return"]
    return f"{made.__module__}.{made.__qualname__}"


@pytest.mark.parametrize(
    ("package", "base", "group"),
    [
        ("encoders", EntityEncoder, "encoder"),
        ("negatives", NegativeSampler, "negatives"),
        ("generators", NegativeGenerator, "generator"),
        ("losses", (SampledLoss, AllEntityLoss), "loss"),
    ],
)
def test_every_class_has_a_file_and_is_held_to_its_contract(package, base, group):
    bases = base if isinstance(base, tuple) else (base,)
    assert {f"{part.__module__}.{part.__qualname__}" for part in shipped(package, *bases)} == targets(group)


def test_every_scorer_is_held_to_its_contract():
    assert {type(make()) for make, _ in SCORERS.values()} == shipped("scorers", Scorer)
    assert {composed(f"model={name}").encoder._target_ for name in models_by_encoder()} == targets("encoder")
