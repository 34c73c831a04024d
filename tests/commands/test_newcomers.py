"""Entities that come after training, told to commands in a folder."""

import csv
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import dhns
from commands.shell import ENTITIES, refused, succeed
from dhns.graph.features import read_modality
from features.material import COLOURS, paint

ASKED = ("head=newland", "relation=next", "k=3", "device=cpu")
VECTOR = torch.arange(4, dtype=torch.float32)


@pytest.fixture
def place(trained, tmp_path):
    """A working folder with a run, and a folder ``new`` of two entities, of which one has features, one a triple."""
    shutil.copytree(trained[0] / "run", tmp_path / "run")
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "entities.tsv").write_text("key\tlabel\nnewland\tNew Land\nisle\t\n")
    (folder / "triples.tsv").write_text("isle\tnext\tnewland\nEntity 1\tkind of\tisle\n")
    save_file({"newland": VECTOR}, folder / "textual.safetensors")
    return tmp_path


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_newcomers_are_asked_scored_found_and_exported(place):
    model = dhns.load(place / "run", device="cpu")
    triples = [("isle", "next", "newland"), ("e1", "kind of", "isle")]
    told = model.with_entities(triples, {"textual": {"newland": VECTOR}}, {"newland": "New Land", "isle": "isle"})
    assert told.graph.num_entities == ENTITIES + 2
    succeed(place, "predict", "checkpoint=run", "new=new", *ASKED, "out=one.csv")
    answers = told.predict(head="newland", relation="next", k=3)
    assert [row["key"] for row in rows(place / "one.csv")] == [answer.key for answer in answers]
    (place / "queries.csv").write_text("head,relation\nNew Land,next\ne0,next\n")
    succeed(place, "predict", "checkpoint=run", "new=new", "queries=queries.csv", "out=many.csv", "k=3", "device=cpu")
    assert [row["tail"] for row in rows(place / "many.csv")[:3]] == [answer.key for answer in answers]
    succeed(place, "score", "checkpoint=run", "new=new", "triples=new/triples.tsv", "out=scores.csv", "device=cpu")
    scores = [float(row["score"]) for row in rows(place / "scores.csv")]
    np.testing.assert_allclose(scores, told.score(triples), rtol=1e-4)
    found = ("discover", "checkpoint=run", "new=new", "candidates=all", "n=2000", "out=found.csv", "device=cpu")
    succeed(place, *found)
    assert {"newland", "isle"} <= {row["head"] for row in rows(place / "found.csv")}
    printed = succeed(place, "export", "checkpoint=run", "new=new", "out=vectors.npz", "device=cpu")
    assert f"{ENTITIES + 2}, " in printed


def test_what_is_known_of_newcomers_decides_their_answers(place):
    model = dhns.load(place / "run", device="cpu")
    with_both = model.with_newcomers(place / "new").score([("isle", "next", "newland")])
    (place / "new" / "triples.tsv").unlink()
    features_alone = model.with_newcomers(place / "new").score([("isle", "next", "newland")])
    (place / "new" / "textual.safetensors").unlink()
    names_alone = model.with_newcomers(place / "new").score([("isle", "next", "newland")])
    assert len({float(score[0]) for score in (with_both, features_alone, names_alone)}) == 3
    assert with_both > features_alone


def test_a_calibrated_model_says_what_its_probabilities_were_made_without(place):
    dhns.calibrate(place / "run", corrupted=2, device="cpu")
    printed = succeed(place, "predict", "checkpoint=run", "new=new", *ASKED)
    assert "note: probabilities were calibrated without new entities" in printed


def test_a_guess_about_the_files_is_told(place):
    (place / "new" / "entities.tsv").write_text("id\tname\nnewland\tNew Land\nisle\tIsle\n")
    printed = succeed(place, "predict", "checkpoint=run", "new=new", *ASKED)
    assert "note: entities.tsv: the first row, 'id name', was taken for a header" in printed


FAULTS = {
    "no_folder": (lambda new: shutil.rmtree(new), "new: no such folder; new entities are named in new/entities.tsv"),
    "no_names": (lambda new: (new / "entities.tsv").unlink(), "new: has no entities.tsv"),
    "taken": (lambda new: append(new / "entities.tsv", "e3\t"), "'e3' is an entity already"),
    "unknown": (
        lambda new: append(new / "triples.tsv", "newlnd\tnext\te0"),
        "triples.tsv, line 3: no entity is named 'newlnd'; did you mean 'newland'",
    ),
    "relation": (lambda new: append(new / "triples.tsv", "isle\tnxt\te0"), "triples.tsv, line 3: no relation is named"),
    "old": (
        lambda new: append(new / "triples.tsv", "e0\tnext\te5"),
        "triples.tsv, line 3: neither head nor tail is in entities.tsv",
    ),
    "part": (lambda new: append(new / "triples.tsv", "isle\tnext\t"), "triples.tsv, line 3: the tail is empty"),
    "columns": (lambda new: append(new / "triples.tsv", "isle\tnext"), "triples.tsv, line 3: 2 columns, expected 3"),
    "twice": (lambda new: (new / "triples.csv").write_text(""), "triples.tsv: triples.csv holds triples, too"),
    "width": (
        lambda new: save_file({"newland": torch.ones(3)}, new / "textual.safetensors"),
        "textual features of 'newland' have shape (3,); expected 4 finite numbers",
    ),
    "foreign": (lambda new: np.save(new / "sound.npy", np.ones((2, 4))), "has no modality 'sound'"),
    "two_files": (lambda new: np.save(new / "textual.npy", np.ones((2, 4))), "has features of textual, too"),
    "table": (
        lambda new: (new / "visual.tsv").write_text("entity\tattribute\tvalue\nisle\tarea\t3\n"),
        "visual.tsv: a table of numbers; how those of the others were standardised is not kept",
    ),
}


def append(path, line):
    path.write_text(f"{path.read_text()}{line}\n")


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_the_folder(place, fault):
    spoil, message = FAULTS[fault]
    spoil(place / "new")
    assert message in refused(place, "predict", "checkpoint=run", "new=new", *ASKED)


def test_features_of_newcomers_are_made_as_those_of_others_were(place):
    paint(place / "images" / "isle.png", COLOURS["blue"])
    encoder = ("image_encoder=efficientnet_lite0", "image_encoder._target_=features.material.MeanColour")
    made = ("images=images", "out=new", "device=cpu", "dtype=float32", *encoder)
    printed = succeed(place, "features", "new=new", *made, "~image_encoder.size", "~image_encoder.canvas")
    assert "visual features of new" in printed
    modality = read_modality(place / "new" / "visual.safetensors", 2)
    assert modality.present.tolist() == [False, True]
    assert modality.features[1].tolist() == [0, 0, 255]
    assert "visual features of 'isle' have shape (3,); expected 5" in refused(
        place, "predict", "checkpoint=run", "new=new", *ASKED
    )
