"""From files to a graph, to a trained model, to files, from a shell."""

import dhns
from commands.shell import ENTITIES, TRAIN, only_result, succeed


def write_numbers(folder):
    rows = [f"e{index}\theight\t{index}\n" for index in range(0, ENTITIES, 2)]
    rows += [f"e{index}\tkind\t{'odd' if index % 2 else 'even'}\n" for index in range(6)]
    (folder / "attributes.tsv").write_text(f"entity\tattribute\tvalue\n{''.join(rows)}", encoding="utf-8")


def test_numbers_are_a_modality_like_any_other(place):
    write_numbers(place / "graph")
    printed = succeed(place, *TRAIN, "+dataset.modalities.numeric=attributes.tsv", "run_dir=run")
    assert "attributes.tsv became 4 columns of 2 attributes" in printed
    _, result = only_result(place)
    assert {"modality/numeric", "modality/textual", "modality/visual"} <= result["fingerprints"].keys()
    vectors = dhns.load(place / "run", device="cpu").embeddings()
    assert list(vectors.views) == ["structure", "textual", "visual", "numeric"]
    assert vectors.present["numeric"].sum() == 9
    # the copy in the run's folder is what evaluate reads
    (place / "graph" / "attributes.tsv").unlink()
    assert "MRR" in succeed(place, "evaluate", "checkpoint=run", "device=cpu")
