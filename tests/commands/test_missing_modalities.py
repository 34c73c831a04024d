"""A sweep over missing modalities from the command line, and what is made of it."""

import pytest

from commands.shell import TRAIN, refused, results, succeed


def test_systems_share_the_masks_and_make_curves(place):
    sweep = ("train", "--multirun", *TRAIN[1:], "trainer.max_epochs=1", "model=rotate,adamf")
    succeed(place, *sweep)
    succeed(place, *sweep, "missing=random,low_degree", "++missing.share=0.5")
    found = list(results(place).values())
    assert len(found) == 2 * (1 + 2), "the masked runs have folders of their own"
    masks = {}
    for result in found:
        missing, metrics = result["config"]["missing"], result["metrics"]["test"]
        prints = {part: mask for part, mask in result["fingerprints"].items() if part.startswith("removed/")}
        assert bool(prints) == bool(missing) == ("lost/mrr" in metrics)
        if missing:
            assert set(prints) == {"removed/textual", "removed/visual"}
            assert metrics["lost/queries"] + metrics.get("kept/queries", 0) == metrics["queries"]
            assert f"{missing['strategy']}, share 0.5" in result["protocol"]["notes"][-1]
            assert masks.setdefault(missing["strategy"], prints) == prints
    assert len({mask for prints in masks.values() for mask in prints.values()}) == 2 * 2
    flat = {result["metrics"]["test"]["mrr"] for result in found if result["system"] == "rotate"}
    assert len(flat) == 1, "structure alone does not see what is missing"
    printed = succeed(place, "curves")
    assert printed.count("adamf") == printed.count("rotate") == 3
    assert (place / "outputs" / "missing-mine.png").read_bytes().startswith(b"\x89PNG")
    assert "less 50 % random" in succeed(place, "compare")


def test_a_run_with_missing_modalities_is_ranked_again_as_it_was(place):
    first = succeed(place, *TRAIN, "missing=high_degree", "encoder.absent=learned", "run_dir=run")
    again = succeed(place, "evaluate", "checkpoint=run")
    (before,), (after,) = (
        [line.replace("│", " ").split() for line in text.splitlines() if "lost" in line] for text in (first, again)
    )
    assert before == after


def test_statistics_show_what_is_left(place):
    printed = succeed(place, "data", "stats", *TRAIN[1:6], "missing=random", "missing.share=0.5")
    assert "6 entities (50.0%)" in printed


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("missing=random", "missing.share=1.5"), "missing.share is 1.5; below 1 is needed"),
        (("missing=random", "missing.modalities=[smell]"), "missing.modalities names 'smell', and mine has textual"),
        (("+missing.share=0.5",), "missing=none takes nothing away, so missing.share means nothing"),
    ],
)
def test_bad_settings_are_one_line(place, overrides, message):
    assert message in refused(place, *TRAIN, *overrides)


def test_curves_of_no_split_and_of_nothing_missing(trained):
    assert "no split 'tset'" in refused(trained[0], "curves", "runs=.", "split=tset")
    assert "dhns train missing=random" in refused(trained[0], "curves", "runs=.")
