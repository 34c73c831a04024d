"""``dhns features``, with encoders that need no pretrained model."""

import json

import pytest

from commands.shell import DATA, ENTITIES, LABELS, program, refused, succeed
from dhns.graph.features import read_modality
from features.material import COLOURS, paint

MEAN = ("image_encoder=efficientnet_lite0", "image_encoder._target_=features.material.MeanColour")
MEAN += ("~image_encoder.size", "~image_encoder.canvas")
IMAGES = ("features", *DATA, "images=images", "out=made", "device=cpu", "dtype=float32", *MEAN)


@pytest.fixture
def images(place):
    """Two images of entity 2, one of entity 3, one of nobody."""
    for name, colour in (("e2/1.png", "red"), ("e2/2.png", "white"), (f"{LABELS[3]}.png", "blue"), ("x.png", "red")):
        paint(place / "images" / name, COLOURS[colour])
    return place


def test_images_become_features_of_the_graph(images):
    printed = succeed(images, *IMAGES)
    assert "warning: images: 1 left out (x.png), which is of no entity of mine" in printed
    assert f"2 of {ENTITIES}" in printed
    modality = read_modality(images / "made" / "visual.safetensors", ENTITIES)
    assert modality.present.nonzero().flatten().tolist() == [2, 3]
    assert modality.features[[2, 3]].tolist() == [[255, 127.5, 127.5], [0, 0, 255]]
    assert json.loads((images / "made" / "visual.json").read_text())["input"]["source"] == "images"
    stats = succeed(images, "data", "stats", *DATA, "+dataset.modalities.visual=../made/visual.safetensors")
    assert "visual" in stats


def test_features_may_replace_those_that_the_data_set_names(images):
    succeed(images, *IMAGES, "out=graph", "+dataset.modalities.visual=visual.safetensors")
    assert (images / "graph" / "visual.safetensors").is_file()


def test_unreadable_images_can_be_skipped(images):
    (images / "images" / "e2" / "2.png").write_bytes(b"no image")
    ended = program(images, *IMAGES)
    assert ended.code == 2
    assert "images/e2/2.png: cannot be read as an image" in ended.err
    assert ", 1 unreadable" in succeed(images, *IMAGES, "when_unreadable=skip")


REFUSED = {
    ("out=made",): "nothing to encode; give images=FOLDER, texts=FILE, or both",
    ("images=images",): "out is not given",
    ("images=nowhere", "out=made"): "nowhere: no such folder of images",
    ("texts=nowhere.tsv", "out=made"): "nowhere.tsv: no such file",
    ("images=images", "out=made", "batch_size=0"): "batch_size is 0",
    ("images=images", "out=made", "dtype=int8"): "dtype is 'int8'; expected float16, float32",
    ("images=images", "out=made", "when_unreadable=ignore"): "expected stop, skip",
    ("images=images", "out=made", "image_encoder.output=x"): "image_encoder.output is 'x'; expected pooler, cls",
    ("images=images", "out=made", "device=abacus"): "device 'abacus' is not usable here",
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.items(), ids=REFUSED.values())
def test_bad_settings(images, arguments, message):
    assert message in refused(images, "features", *DATA, *arguments)
    assert not (images / "made").exists()


def test_a_missing_package_is_named_with_the_command_that_installs_it(images, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    (images / "images" / "x.png").unlink()
    line = refused(images, "features", *DATA, "images=images", "out=made", "device=cpu")
    assert "pip install 'dhns[features]' brings it" in line
