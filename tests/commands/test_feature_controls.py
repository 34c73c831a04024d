"""Controls of features from the command line: a run, what is told of it, and its model elsewhere."""

import shutil

import pytest

from commands.shell import TRAIN, refused, results, succeed


def test_controls_are_trained_and_told(place):
    adamf = (*TRAIN[1:], "trainer.max_epochs=1", "model=adamf")
    succeed(place, "train", *adamf)
    succeed(place, "train", "--multirun", *adamf, "features=shuffled,random")
    found = list(results(place).values())
    for differs in (
        {result["config_hash"] for result in found},
        {result["fingerprints"]["modality/textual"] for result in found},
        {result["metrics"]["test"]["mr"] for result in found},
    ):
        assert len(differs) == 3
    notes = {result["config"].get("features", {}).get("kind"): result["protocol"]["notes"][-2:] for result in found}
    assert notes["shuffled"][0] == "textual features permuted among the 12 entities that have them (seed 0)"
    assert notes["random"][1] == "visual features replaced by noise for the 6 entities that have them (seed 0)"
    compared = succeed(place, "compare")
    assert compared.count("features=shuffled") == compared.count("features=random") == 1


@pytest.mark.parametrize("keep", ["true", "false"])
def test_a_moved_run_sees_the_features_of_its_training(place, keep):
    first = succeed(place, *TRAIN, "features=shuffled", "run_dir=run", f"keep_data={keep}")
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    shutil.move(place / "run", elsewhere / "moved")
    data = () if keep == "true" else (f"dataset.folder={place / 'graph'}",)
    again = succeed(elsewhere, "evaluate", "checkpoint=moved", "device=cpu", *data)
    (before,), (after,) = (
        [line.replace("│", " ").split() for line in text.splitlines() if "│ all" in line] for text in (first, again)
    )
    assert before == after
    asked = succeed(elsewhere, "predict", "checkpoint=moved", "device=cpu", "head=Entity 1", "relation=next", *data)
    assert "Entity 2 " in asked


def test_a_control_of_nothing_is_one_line(place):
    assert "mine has textual, visual" in refused(place, *TRAIN, "features=random", "features.modalities=[smell]")
    assert "features" in refused(place, *TRAIN, "+features.textual=text.npy")
