"""Features without their content: who gets what, and that everyone gets the same."""

from dataclasses import replace

import pytest
import torch
from hydra.utils import instantiate

from builders import composed
from dhns.config.identity import config_hash
from dhns.errors import InputError
from dhns.graph.feature_controls import FeatureControl
from dhns.graph.fingerprint import fingerprint
from dhns.graph.knowledge_graph import Modality
from dhns.graph.load import load_graph, prepare
from dhns.graph.missing import MissingModalities

KINDS = ("shuffled", "random")


def replaced(graph, kind, **options):
    return FeatureControl(kind, **options).apply(graph).modalities


def sorted_rows(features):
    return sorted(map(tuple, features.tolist()))


@pytest.mark.parametrize("kind", KINDS)
def test_who_has_a_modality_stays_and_all_else_does(toy_graph, kind):
    graph = FeatureControl(kind).apply(toy_graph)
    for name, before in toy_graph.modalities.items():
        after = graph.modalities[name]
        assert torch.equal(after.present, before.present)
        assert after.features.dtype == before.features.dtype
        assert not after.features[~after.present].any()
        assert not torch.equal(after.features, before.features)
    untouched = {key: value for key, value in fingerprint(toy_graph).items() if not key.startswith("modality/")}
    assert untouched.items() <= fingerprint(graph).items()
    assert len(graph.notes) == 2
    assert "the 6 entities that have them (seed 0)" in graph.notes[0]


def test_shuffled_features_are_the_rows_of_those_who_have_them(toy_graph):
    for name, after in replaced(toy_graph, "shuffled").items():
        before = toy_graph.modalities[name]
        assert sorted_rows(after.features[after.present]) == sorted_rows(before.features[before.present])
        assert (after.features != before.features).any(dim=1).sum() > before.present.sum() / 2


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_random_features_have_the_moments_of_those_that_there_were(toy_graph, dtype):
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(4000, 1, generator=generator)
    features = (common + 0.1 * torch.randn(4000, 2, generator=generator)) * torch.tensor([1.0, 5.0]) + 3
    present = torch.arange(4000) % 4 != 0
    features = features.masked_fill(~present[:, None], 0).to(dtype)
    wide = replace(toy_graph, modalities={"audio": Modality(features, present)})
    noise = replaced(wide, "random")["audio"].features[present].float()
    before = features[present].float()
    assert torch.allclose(noise.mean(0), before.mean(0), atol=0.3)
    assert torch.allclose(noise.std(0), before.std(0), rtol=0.05)
    assert torch.corrcoef(before.T)[0, 1] > 0.9
    assert abs(torch.corrcoef(noise.T)[0, 1]) < 0.1


def test_what_a_half_cannot_hold_is_cut_off(toy_graph):
    features = torch.tensor([[65504.0], [-65504.0]] * 6, dtype=torch.float16)
    loud = replace(toy_graph, modalities={"audio": Modality(features, torch.ones(12, dtype=torch.bool))})
    assert replaced(loud, "random")["audio"].features.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_draw_is_of_its_own_seed_and_modality(toy_graph, kind):
    row = torch.arange(12.0)[:, None]
    same = replace(
        toy_graph,
        modalities={name: Modality(row, torch.ones(12, dtype=torch.bool)) for name in ("visual", "audio")},
    )
    torch.manual_seed(1)
    first = replaced(same, kind)
    torch.manual_seed(2)
    again, other = replaced(same, kind), replaced(same, kind, seed=1)
    assert torch.equal(first["audio"].features, again["audio"].features)
    assert not torch.equal(first["audio"].features, other["audio"].features)
    assert not torch.equal(first["audio"].features, first["visual"].features)
    alone = replaced(same, kind, modalities=["audio"])
    assert torch.equal(alone["audio"].features, first["audio"].features), "whatever becomes of other modalities"
    assert torch.equal(alone["visual"].features, row)


EMBEDDED = {"shuffled": ("3eaf5ddd", "1f694d56"), "random": ("69a55f92", "c92f755f")}


@pytest.mark.parametrize(("kind", "prints"), EMBEDDED.items(), ids=EMBEDDED)
def test_the_embedded_graph_has_the_same_controls_everywhere(kind, prints):
    found = fingerprint(load_graph(composed(f"features={kind}")))
    assert (found["modality/textual"][:8], found["modality/visual"][:8]) == prints


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_features_go_missing_from_controls(toy_graph, kind):
    config = composed(f"features={kind}", "missing=random")
    both, less = prepare(config, toy_graph), MissingModalities("random", 0.3).remove(toy_graph)
    assert all(torch.equal(mask, both.removed[name]) for name, mask in less.removed.items())
    control = FeatureControl(kind).apply(toy_graph).modalities["textual"].features
    assert torch.equal(both.modalities["textual"].features, control * ~both.removed["textual"][:, None])


def test_each_control_is_a_run_of_its_own_and_none_is_the_run_that_it_was():
    plain = composed("dataset=mkg_w")
    assert "features" not in plain
    configs = [plain, *(composed("dataset=mkg_w", f"features={kind}") for kind in KINDS)]
    configs.append(composed("dataset=mkg_w", "features=shuffled", "features.seed=1"))
    configs.append(composed("dataset=mkg_w", "features=[official,shuffled]"))
    assert len({config_hash(config) for config in configs}) == 5
    assert configs[-1].dataset.modalities.visual == "visual-official.safetensors"
    assert configs[1].dataset.modalities == plain.dataset.modalities


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "upside_down"}, "features.kind is 'upside_down'; expected shuffled or random"),
        ({"modalities": ["smell"]}, "features=random is to replace 'smell', and toy has visual, textual"),
        ({"modalities": []}, "features=random is to replace nothing, and toy has visual, textual"),
    ],
)
def test_bad_settings(toy_graph, options, message):
    with pytest.raises(InputError, match=message):
        FeatureControl(**{"kind": "random", **options}).apply(toy_graph)


def test_a_graph_without_features_has_none_to_replace(toy_graph):
    with pytest.raises(InputError, match="features=shuffled replaces features, and toy has none; give some"):
        FeatureControl("shuffled").apply(replace(toy_graph, modalities={}))
    absent = replace(toy_graph, modalities={}, absent={"textual": "text.npy: no such feature file"})
    with pytest.raises(InputError, match="no such feature file"):
        FeatureControl("shuffled").apply(absent)


def test_the_shipped_files_say_the_same():
    for kind in KINDS:
        assert instantiate(composed(f"features={kind}").features) == FeatureControl(kind)
