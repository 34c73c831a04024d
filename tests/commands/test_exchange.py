"""From files to a graph, to a trained model, to files, from a shell."""

import dhns
from commands.shell import ENTITIES, RELATIONS, SPLITS, TRAIN, only_result, refused, succeed


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


def test_import_tells_what_it_made_and_how_to_go_on(tmp_path):
    rows = "".join(f"e{head},{RELATIONS[relation]},e{tail}\n" for head, relation, tail in SPLITS["train"])
    (tmp_path / "facts.csv").write_text(f"from,kind,to\n{rows}e1,height,3.5\ne2,height,4\n", encoding="utf-8")
    columns = ("head=from", "relation=kind", "tail=to", "attributes=[height]")
    printed = succeed(tmp_path, "data", "import", "input=facts.csv", "out=mine", *columns)
    assert "mine, from facts.csv" in printed
    assert "attributes.tsv" in printed
    train = printed.splitlines()[-1].removeprefix("train by dhns train ").split()
    assert train == ["dataset=tsv", "dataset.folder=mine", "+dataset.modalities.numeric=attributes.tsv"]
    stats = succeed(tmp_path, "data", "stats", *train)
    assert "2 entities" in stats
    assert "is there already" in refused(tmp_path, "data", "import", "input=facts.csv", "out=mine", *columns)
    line = refused(tmp_path, "data", "import", "input=facts.csv", "out=other", "head=who")
    assert line.endswith("facts.csv, line 1: head=who names no column; there are from, kind, to")
    assert "input=FILE_OR_FOLDER" in refused(tmp_path, "data", "import", "out=other")
    assert "test_fraction is 1" in refused(tmp_path, "data", "import", "input=facts.csv", "out=o", "test_fraction=1")
