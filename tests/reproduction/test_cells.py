"""The cells of a table are those of its files, and their runs lie where `dhns train` puts them."""

import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from dhns.config.identity import config_hash
from dhns.config.resolvers import register_resolvers
from dhns.errors import InputError
from dhns.experiments.reproduction.cells import table_cells
from dhns.experiments.reproduction.cluster import multirun_commands
from dhns.resources import conf_dir
from reproduction.fakes import store

TABLE = ("table='2'", "datasets=[world_flags]", "budget=smoke")


def composed(root, *overrides):
    register_resolvers()
    with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
        return compose(root, overrides=list(overrides))


def cells_of(*overrides):
    return table_cells(composed("reproduce", *TABLE, *overrides))


def test_rows_come_in_the_order_of_the_table():
    cells = cells_of("rows=[dhns,transe,rotate]")
    assert [(cell.group, cell.label) for cell in cells] == [
        ("Unimodal", "TransE"),
        ("Unimodal", "RotatE"),
        ("Negative sampling", "DHNS"),
    ]
    assert {cell.dataset for cell in cells} == {"world_flags"}


def test_without_a_choice_all_rows():
    chosen = composed("reproduce", "table='5'", "datasets=[world_flags]")
    rows = [row for group in chosen.table.groups.values() for row in group]
    cells = table_cells(chosen)
    assert len({cell.label for cell in cells}) == len(cells) == len(rows)


def test_without_a_choice_the_data_sets_of_the_paper():
    cells = table_cells(composed("reproduce", "table='5'", "rows=[dhns]"))
    assert [cell.dataset for cell in cells] == ["DB15K", "MKG-W", "MKG-Y"]


def test_published_numbers_are_those_of_the_experiment():
    (cell,) = table_cells(composed("reproduce", "table='2'", "datasets=[mkg_w]", "rows=[transe]"))
    # Table 2 of the paper
    assert cell.published == {"mrr": 29.19, "hits@1": 21.06, "hits@3": 33.20, "hits@10": 44.23}


def test_a_run_lies_where_training_puts_it(monkeypatch, tmp_path):
    monkeypatch.setenv("DHNS_OUTPUTS", str(tmp_path))
    (cell,) = cells_of("rows=[transe]", "seeds=[3,1]", 'overrides=["scorer.dim=7"]', "protocol=as_published")
    assert [run.seed for run in cell.runs] == [3, 1]
    for run in cell.runs:
        assert {"experiment=tuned", "dataset=world_flags", "model=transe", "budget=smoke", "scorer.dim=7"} < set(
            run.overrides
        )
        config = composed("train", *run.overrides)
        assert (config.seed, config.scorer.dim, config.protocol.name) == (run.seed, 7, "as_published")
        assert config.trainer.max_epochs == 2
        assert run.folder == Path(config.run_dir)
        assert run.config_hash == config_hash(config)
        assert run.folder.is_relative_to(tmp_path)
        assert not run.done


def test_cells_of_the_same_settings_share_their_runs():
    in_table_4 = "table='4'", "datasets=[world_flags]", "rows=[complex_n3]"
    in_table_5 = "table='5'", "datasets=[world_flags]", "rows=[complex_n3]"
    (one,), (other,) = (table_cells(composed("reproduce", *table)) for table in (in_table_4, in_table_5))
    assert one.runs[0].folder == other.runs[0].folder


REFUSED = {
    "rows=[transee]": "rows names 'transee', which table 2 has not; did you mean transe?",
    "rows=[]": "rows is empty",
    "rows=transe": r"rows is 'transe'; expected a list, such as rows=\[transe\]",
    "datasets=[nowhere]": "datasets names 'nowhere', which table 2 has not; there are .*world_flags",
    "datasets=[]": "datasets is empty",
    "seeds=[]": r"seeds is \[\]; expected a list of integers",
    "seeds=[x]": r"seeds is \['x'\]; expected a list of integers",
    "seeds=1": r"seeds is 1; expected a list, such as seeds=\[1\]",
    'overrides=["scorer.dimm=3"]': r"TransE \(dataset=world_flags model=transe\) cannot be composed: .*scorer.dimm",
    'overrides=["scorer.dim=3,4"]': r"TransE \(dataset=world_flags model=transe\) cannot be composed: Ambiguous",
    "against=complex_n": "against names 'complex_n', which table 2 has not; did you mean complex_n3?",
    "protocol.carve_seed=3": "a setting of protocol=clean is changed, which no run would see",
}


@pytest.mark.parametrize(("override", "message"), REFUSED.items(), ids=REFUSED)
def test_what_is_not_there_is_refused(override, message):
    rows = [] if override.startswith("rows") else ["rows=[transe]"]
    with pytest.raises(InputError, match=message):
        cells_of(*rows, override)


def test_the_command_for_a_cluster_names_what_is_missing(monkeypatch, tmp_path):
    outputs = tmp_path / "a folder"
    monkeypatch.setenv("DHNS_OUTPUTS", str(outputs))
    monkeypatch.setenv("DHNS_DATA", "data")
    cells = cells_of("rows=[transe,rotate]", "seeds=[0,1]", 'overrides=["scorer.dim=7"]')
    for run in cells[0].runs:
        store(run, 0.5)
    store(cells[1].runs[0], 0.5)
    (line,) = multirun_commands(cells)
    data, folder, *command = shlex.split(line)
    assert (data, folder) == ("DHNS_DATA=data", f"DHNS_OUTPUTS={outputs}")
    assert command[:3] == ["dhns", "train", "--multirun"]
    parsed = {
        override.key_or_group: override.value() for override in OverridesParser.create().parse_overrides(command[3:])
    }
    assert (parsed["experiment"], parsed["dataset"], parsed["model"]) == ("tuned", "world_flags", "rotate")
    assert parsed["seed"] == 1
    assert (parsed["scorer.dim"], parsed["budget"], parsed["protocol"]) == (7, "smoke", "clean")
    store(cells[1].runs[1], 0.5)
    assert multirun_commands(cells) == ["# nothing is missing"]


def test_features_are_settings_of_the_runs(monkeypatch):
    monkeypatch.setenv("DHNS_DATA", "data")
    monkeypatch.setenv("DHNS_OUTPUTS", "outputs")
    table = composed("reproduce", "table='2'", "datasets=[mkg_w,world_flags]", "rows=[rotate]")
    named, official = table_cells(table), table_cells(table, {"mkg_w": "official"})
    assert official[1].runs == named[1].runs, "the other data set has what it names"
    (run,) = official[0].runs
    assert run.folder != named[0].runs[0].folder
    assert dict(composed("train", *run.overrides).dataset.modalities) == {
        "textual": "textual-official.safetensors",
        "visual": "visual-official.safetensors",
    }
    assert [line.split()[8] for line in multirun_commands(official)] == ["features=official", "protocol=clean"]


def test_label_features_are_those_that_the_benchmarks_name():
    """The stored results are of these settings."""
    for dataset in ("db15k", "mkg_w", "mkg_y"):
        named = composed("train", f"dataset={dataset}")
        assert config_hash(composed("train", f"dataset={dataset}", "features=label")) == config_hash(named)


def test_settings_of_a_table_are_plain():
    """No interpolation: the renderer reads them without a run."""
    for path in (conf_dir() / "table").glob("*.yaml"):
        OmegaConf.to_container(OmegaConf.load(path), throw_on_missing=True, resolve=True)
