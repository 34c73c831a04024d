"""Which data sets a table has to fetch, and which features its runs read."""

import pytest
from hydra import compose, initialize_config_dir

from dhns.config.resolvers import register_resolvers
from dhns.errors import InputError
from dhns.experiments.reproduction.cells import table_cells
from dhns.experiments.reproduction.datasets import chosen_features, hindrance, obtain, read_datasets, told
from dhns.graph.readers import OPENKE_FILES
from dhns.resources import conf_dir

TABLE = ("table='2'", "rows=[rotate]")
OFFICIAL = ("visual-official.safetensors", "textual-official.safetensors")
LABEL = "textual-sbert-label.safetensors"


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Composes settings of a table; the data sets lie under ``data``."""
    monkeypatch.setenv("DHNS_DATA", str(tmp_path / "data"))
    register_resolvers()
    with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
        yield lambda *overrides: compose("reproduce", overrides=[*TABLE, *overrides])


def put(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_the_embedded_data_set_is_there_and_a_benchmark_is_once_it_has_its_graph(settings, tmp_path):
    table = settings("datasets=[mkg_w,world_flags]")
    assert [(dataset.name, dataset.there) for dataset in read_datasets(table)] == [
        ("MKG-W", False),
        ("world_flags", True),
    ]
    put(tmp_path / "data" / "MKG-W", *OPENKE_FILES)
    assert all(dataset.there for dataset in read_datasets(table))


def test_an_override_moves_the_data_set(settings, tmp_path):
    put(tmp_path / "mine", *OPENKE_FILES)
    table = settings("datasets=[mkg_w]", f"overrides=['dataset.folder={tmp_path / 'mine'}','scorer.dim=8']")
    assert read_datasets(table)[0].there
    with pytest.raises(InputError, match="expected a list, such as overrides="):
        read_datasets(settings("datasets=[mkg_w]", "overrides=dataset.folder"))


def test_official_features_are_taken_where_all_of_them_are(settings, tmp_path):
    folder = tmp_path / "data" / "MKG-W"
    put(folder, *OPENKE_FILES, LABEL, OFFICIAL[0])
    table = settings("datasets=[mkg_w,world_flags]")
    datasets = read_datasets(table)
    assert chosen_features(table, datasets) == {}
    assert list(told(datasets, {})) == [f"MKG-W: features {LABEL}"]
    put(folder, OFFICIAL[1])
    assert chosen_features(table, datasets) == {"mkg_w": "official"}
    assert list(told(datasets, {"mkg_w": "official"})) == [f"MKG-W: features {', '.join(OFFICIAL)}"]


def test_rows_that_read_features_are_not_tried_where_there_are_none(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("DHNS_OUTPUTS", str(tmp_path))
    folder = tmp_path / "data" / "MKG-W"
    put(folder, *OPENKE_FILES)
    table = settings("datasets=[mkg_w]", "rows=null")
    cells, datasets = table_cells(table), read_datasets(table)
    reasons = {cell.row: hindrance(cell, datasets, {}) for cell in cells}
    assert set(filter(None, reasons.values())) == {f"MKG-W lacks the features that it reads: {LABEL}"}
    tried = [row for row, reason in reasons.items() if reason is None]
    unimodal = ["transe", "transd", "distmult", "complex", "rotate", "pairre", "gc_ote"]
    assert tried == ["complex_n3", "distmult_n3", "tucker_n3", *unimodal, "kbgan"]
    put(folder, LABEL)
    assert not any(hindrance(cell, datasets, {}) for cell in cells)
    (folder / OPENKE_FILES[0]).unlink()
    assert {hindrance(cell, datasets, {}) for cell in cells} == {"MKG-W is not there"}


def test_a_choice_of_features_is_kept(settings, tmp_path):
    put(tmp_path / "data" / "MKG-W", *OPENKE_FILES, LABEL, *OFFICIAL)
    table = settings("datasets=[mkg_w]", "overrides=['features=label']")
    assert chosen_features(table, datasets := read_datasets(table)) == {}
    assert list(told(datasets, {})) == [f"MKG-W: features {LABEL}"]


def test_a_control_leaves_the_choice_of_features_as_it_is(settings, tmp_path, monkeypatch):
    put(tmp_path / "data" / "MKG-W", *OPENKE_FILES, LABEL, *OFFICIAL)
    monkeypatch.setenv("DHNS_OUTPUTS", str(tmp_path))
    controlled = settings("datasets=[mkg_w,world_flags]", "overrides=['scorer.dim=8','features=shuffled']")
    features = chosen_features(controlled, read_datasets(controlled))
    assert features == {"mkg_w": "[official,shuffled]"}
    on_mkg_w, embedded = table_cells(controlled, features)
    assert on_mkg_w.runs[0].settings == (
        "features=[official,shuffled]", "protocol=clean", "budget=full", "scorer.dim=8",
    )  # fmt: skip
    assert "features=shuffled" in embedded.runs[0].settings
    named = settings("datasets=[mkg_w]", "overrides=['features=[label,random]']")
    assert chosen_features(named, read_datasets(named)) == {}
    (cell,) = table_cells(named)
    assert cell.runs[0].config_hash != on_mkg_w.runs[0].config_hash


@pytest.mark.parametrize(("overrides", "named"), [("", LABEL), ("'features=official'", ", ".join(OFFICIAL[::-1]))])
def test_absent_features_are_told_with_the_way_to_get_some(settings, tmp_path, overrides, named):
    put(tmp_path / "data" / "MKG-W", *OPENKE_FILES)
    table = settings("datasets=[mkg_w]", f"overrides=[{overrides}]")
    lines = list(told(datasets := read_datasets(table), chosen_features(table, datasets)))
    assert lines[0] == f"MKG-W: features {named}"
    assert "'dhns data download dataset=mkg_w' fetches the official ones" in lines[1]


def test_the_data_sets_that_cannot_be_had_are_told_and_the_others_go_on(settings, capsys):
    obtain(settings("datasets=[mkg_w,world_flags]"), may_fetch=False)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("MKG-W is not there and was not fetched (download=false). Put entity2id.txt, ")
    assert second.startswith("the others are run without MKG-W: put the files there, set DHNS_DATA to a folder that ")


def test_without_any_data_set_nothing_is_run(settings, capsys):
    message = r"nothing is run without DB15K and MKG-W: .*holds DB15K/ and MKG-W/.* DATASETS=world_flags BUDGET=short"
    with pytest.raises(InputError, match=message):
        obtain(settings(), may_fetch=False)
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == ["DB15K", "MKG-W"]
