"""Rows belong to their entities, however often the extraction was interrupted."""

import json

import pytest
import torch
from safetensors.torch import load_file

from dhns.errors import InputError
from dhns.features.extraction import Extraction, pool
from dhns.features.material import ImageFolder
from dhns.graph.features import read_modality
from dhns.graph.knowledge_graph import Vocabulary
from features.material import COLOURS, ENTITIES, MeanColour, paint

SMALL = {"batch_size": 2, "dtype": "float32"}


@pytest.fixture
def folder(tmp_path):
    """Red has one image, green one, blue three: two blue and a white one."""
    for name in ("Red.png", "Green.png"):
        paint(tmp_path / "images" / name, COLOURS[name[:-4].lower()])
    for number, colour in enumerate(("blue", "white", "blue")):
        paint(tmp_path / "images" / "Blue" / f"{number}.png", COLOURS[colour])
    return tmp_path / "images"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out" / "visual.safetensors"


def run(folder, out, encoder=None, **settings):
    return Extraction(**(SMALL | settings)).run(ImageFolder(folder, ENTITIES), encoder or MeanColour(), ENTITIES, out)


def test_rows_are_those_of_their_entities_and_the_rest_is_missing(folder, out):
    run(folder, out)
    modality = read_modality(out, len(ENTITIES))
    assert modality.present.tolist() == [True, True, True, False]
    assert modality.features[:2].tolist() == [[255, 0, 0], [0, 128, 0]]
    assert torch.allclose(modality.features[2], torch.tensor([85.0, 85.0, 255.0]))


def test_all_entities_need_no_index(folder, out):
    paint(folder / "None.png", COLOURS["white"])
    run(folder, out)
    assert load_file(out).keys() == {"features"}
    assert read_modality(out, len(ENTITIES), missing="none").features[3].tolist() == [255, 255, 255]


def test_ids_follow_the_graph_not_the_files(folder, out):
    backwards = Vocabulary("entity", ENTITIES.keys[::-1], ENTITIES.labels[::-1])
    Extraction(**SMALL).run(ImageFolder(folder, backwards), MeanColour(), backwards, out)
    modality = read_modality(out, 4)
    assert modality.present.tolist() == [False, True, True, True]
    assert modality.features[3].tolist() == [255, 0, 0]


def test_pooling_is_the_mean_of_each_entity():
    rows = torch.tensor([[1.0, 0.0], [3.0, 2.0], [5.0, 5.0]])
    features, index = pool(rows, torch.tensor([7, 2, 7]))
    assert index.tolist() == [2, 7]
    assert features.tolist() == [[3, 2], [3, 2.5]]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_description_says_what_was_done(folder, out, dtype):
    paint(folder / "pink.png", "pink")
    description = run(folder, out, dtype=dtype)
    assert json.loads(out.with_suffix(".json").read_text()) == description
    assert description["encoder"] == {"name": "mean colour"}
    assert (description["input"]["items"], description["unknown"], description["unreadable"]) == (5, 1, 0)
    assert description["shape"] == [3, 3]
    assert load_file(out)["features"].dtype == getattr(torch, dtype)


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_an_interrupted_extraction_goes_on_and_ends_in_the_same_file(folder, out, tmp_path, calls):
    run(folder, tmp_path / "whole" / "visual.safetensors")
    with pytest.raises(KeyboardInterrupt):
        run(folder, out, MeanColour(calls))
    assert not out.exists()
    second = MeanColour()
    run(folder, out, second)
    assert second.encoded == 5 - 2 * calls
    assert out.read_bytes() == (tmp_path / "whole" / "visual.safetensors").read_bytes()
    assert {path.name for path in out.parent.iterdir()} == {"visual.safetensors", "visual.json"}


def interrupted(folder, out):
    with pytest.raises(KeyboardInterrupt):
        run(folder, out, MeanColour(calls=2))


@pytest.mark.parametrize("change", ["encoder", "image", "batch_size", "when_unreadable"])
def test_batches_of_something_else_are_not_taken_over(folder, out, change):
    interrupted(folder, out)
    encoder = MeanColour(name="other" if change == "encoder" else "mean colour")
    if change == "image":
        paint(folder / "Red.png", COLOURS["white"])
    other = {"batch_size": 3} if change == "batch_size" else {}
    run(folder, out, encoder, **other | ({"when_unreadable": "skip"} if change == "when_unreadable" else {}))
    assert encoder.encoded == 5
    assert len(list(out.parent.iterdir())) == 2  # the others' batches are gone


def test_a_damaged_batch_is_encoded_again(folder, out):
    interrupted(folder, out)
    first, _ = sorted(out.parent.glob(".*/*.safetensors"))
    first.write_bytes(first.read_bytes()[:-3])
    encoder = MeanColour()
    run(folder, out, encoder)
    assert encoder.encoded == 3
    assert read_modality(out, 4).features[0].tolist() == [255, 0, 0]


def test_features_that_are_there_are_left_alone(folder, out):
    first = run(folder, out)
    encoder = MeanColour()
    assert run(folder, out, encoder) == first
    assert encoder.encoded == 0
    assert run(folder, out, encoder, force=True) == first
    assert encoder.encoded == 5


def test_features_of_something_else_are_not_overwritten(folder, out):
    run(folder, out)
    with pytest.raises(InputError, match=r"is there already, .*differs in: encoder, dtype\).*force=true"):
        run(folder, out, MeanColour(name="other"), dtype="float16")
    out.write_bytes(b"downloaded")
    with pytest.raises(InputError, match=r"differs in: description"):
        run(folder, out)
    assert out.read_bytes() == b"downloaded"


def test_unreadable_images_stop_or_are_skipped_and_counted(folder, out):
    (folder / "Red.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"Red.png: cannot be read"):
        run(folder, out)
    assert run(folder, out, when_unreadable="skip")["unreadable"] == 1
    assert read_modality(out, 4).present.tolist() == [False, True, True, False]


def test_nothing_readable(tmp_path, out):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "Red.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="none of its 1 images can be read"):
        run(tmp_path / "images", out, when_unreadable="skip")


class Overflowing(MeanColour):
    def encode(self, items):
        return super().encode(items) * 1000


def test_values_out_of_range_name_the_entity(folder, out):
    with pytest.raises(InputError, match=r"for 3 entities, the first of them c/red; try dtype=float32"):
        run(folder, out, Overflowing(), dtype="float16")
    assert not out.exists()
    assert run(folder, out, Overflowing())["entities_with_features"] == 3


def test_batches_of_none_are_refused():
    with pytest.raises(InputError, match="batch_size is 0"):
        Extraction(batch_size=0)
