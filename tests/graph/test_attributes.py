"""Tables of numbers, dates and categories as the features of a modality."""

import re

import numpy as np
import pytest
import torch

from dhns.errors import InputError
from dhns.graph import attributes as table_of
from dhns.graph.attributes import read_attributes, to_number
from dhns.graph.features import read_modalities
from dhns.graph.knowledge_graph import Vocabulary
from dhns.graph.readers import read_tsv

KEYS = ("a", "b", "c", "d", "e")
NAMES = Vocabulary("entity", KEYS, KEYS)
TRAIN = torch.tensor([[0, 0, 1], [1, 0, 2]])


def table(folder, *rows, name="attributes.tsv", header="entity\tattribute\tvalue"):
    path = folder / name
    path.write_text("".join(f"{row}\n" for row in (header, *rows)), encoding="utf-8")
    return path


def numeric(folder, *rows, train=TRAIN):
    table(folder, *rows)
    modalities, notes = read_modalities(folder, {"numeric": "attributes.tsv"}, NAMES, train=train)
    return modalities["numeric"], notes


def test_numbers_are_standardised_on_entities_of_train_and_missing_ones_are_masked(tmp_path):
    modality, (note,) = numeric(tmp_path, "a\theight\t1", "b\theight\t2", "c\theight\t6", "d\theight\t3", "b\tage\t30")
    values = torch.tensor([1.0, 2, 6])
    expected = (torch.tensor([1.0, 2, 6, 3]) - values.mean()) / values.std(correction=0)
    torch.testing.assert_close(modality.features[:4, 0], expected)
    assert modality.features[:, 1].tolist() == [1, 1, 1, 1, 0]
    assert modality.present.tolist() == [True, True, True, True, False]
    assert modality.dim == 2
    assert "attributes.tsv became 2 columns of 1 attribute; numbers or dates: 1 (height)" in note
    assert "left out, with fewer than 2 training entities or beyond 512 columns: 1 (age)" in note


def test_a_value_of_an_entity_outside_train_does_not_move_the_scale(tmp_path):
    rows = ["a\theight\t1", "b\theight\t2", "c\theight\t6"]
    alone, _ = numeric(tmp_path, *rows)
    beside, _ = numeric(tmp_path, *rows, "e\theight\t50")
    assert torch.equal(alone.features[:3], beside.features[:3])
    assert beside.features[4].tolist() == [5, 1]  # deviations, where it is clipped


def test_an_entity_without_any_value_is_zero_in_the_columns_that_others_have(tmp_path):
    modality, _ = numeric(tmp_path, "a\tx\t1", "b\tx\t3", "b\ty\t1", "c\ty\t2")
    assert modality.features.tolist() == [[-1, 1, 0, 0], [1, 1, -1, 1], [0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_several_values_of_an_entity_count_as_their_mean(tmp_path):
    modality, _ = numeric(tmp_path, "a\tx\t1", "a\tx\t3", "b\tx\t4")
    assert modality.features[:2, 0].tolist() == [-1, 1]


def test_numbers_over_many_magnitudes_are_taken_by_their_logarithms(tmp_path):
    modality, (note,) = numeric(tmp_path, "a\tpeople\t9", "b\tpeople\t99", "c\tpeople\t999999")
    logs = torch.log1p(torch.tensor([9.0, 99, 999999]))
    torch.testing.assert_close(modality.features[:3, 0], (logs - logs.mean()) / logs.std(correction=0))
    assert "numbers by their logarithms: 1 (people)" in note


def test_equal_values_say_only_that_they_are_there(tmp_path):
    modality, _ = numeric(tmp_path, "a\tx\t0.1", "b\tx\t0.1", "c\tx\t0.1")
    assert modality.features.tolist() == [[0, 1]] * 3 + [[0, 0]] * 2


def test_categories_have_a_column_each(tmp_path):
    modality, (note,) = numeric(tmp_path, "a\tcolour\tred", "b\tcolour\tblue", "b\tcolour\tred", "d\tcolour\tgrey")
    assert modality.features.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0]]
    assert "categories: 1 (colour)" in note


def test_of_many_categories_the_most_frequent_count_and_the_rest_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(table_of, "MOST_CATEGORIES", 1)
    modality, (note,) = numeric(tmp_path, "a\tcolour\tred", "b\tcolour\tred", "c\tcolour\tblue")
    assert modality.features[:, 0].tolist() == [1, 1, 0, 0, 0]
    assert not modality.present[2]
    assert "of categories the 1 most frequent count: colour (1 values less)" in note


def test_beyond_the_most_columns_the_rarest_attributes_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(table_of, "MOST_COLUMNS", 2)
    rows = ["a\trare\t1", "b\trare\t2", "a\tusual\t1", "b\tusual\t2", "c\tusual\t3"]
    modality, (note,) = numeric(tmp_path, *rows)
    assert modality.dim == 2
    assert modality.present.tolist() == [True, True, True, False, False]
    assert "1 (rare)" in note


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        ("-1.5e3", -1500),
        ("1905-01-01", 1905),
        ("1905-07", 1905.5),
        ("1905-07-01T12:00:00Z", 1905.5),
        ("-0044-03-15", -44 + 2 / 12 + 14 / 372),
        ("1905-13-01", None),
        ("nan", None),
        ("inf", None),
        ("1_000", None),
        ("12,5", None),
        ("", None),
    ],
)
def test_what_is_a_number(text, number):
    assert to_number(text) == (None if number is None else pytest.approx(number))


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (["a\tx\t1", "b\tx\t12,5", "c\tx\t2"], "line 3: '12,5' is neither a number nor a date, and most values of 'x'"),
        (["a\tx"], r"line 2: 2 columns, expected 3 \(entity attribute value\)"),
        (["A\tx\t1", "B\tx\t2"], "has keys of entities, such as '.', and here 'A'"),
        ([], "no values after the header line"),
    ],
)
def test_bad_tables_are_refused(tmp_path, rows, complaint):
    with pytest.raises(InputError, match=f"attributes.tsv.*{complaint}"):
        numeric(tmp_path, *rows)


def test_other_headers_and_settings_are_refused(tmp_path):
    path = table(tmp_path, "a,x,1", name="numbers.csv", header="name,attribute,value")
    with pytest.raises(InputError, match=r"numbers.csv, line 1: 'name,attribute,value'; .* 'entity,attribute,value'"):
        read_attributes(path, {"a"})
    with pytest.raises(InputError, match="missing is 'never'"):
        read_modalities(tmp_path, {"numeric": {"path": path.name, "missing": "never"}}, NAMES)
    table(tmp_path, "a\tx\t1", "b\tx\t2")
    with pytest.raises(InputError, match=re.escape("missing=none needs all 5")):
        read_modalities(tmp_path, {"numeric": {"path": "attributes.tsv", "missing": "none"}}, NAMES)


def test_a_table_may_have_a_row_for_each_entity(tmp_path):
    tall, _ = numeric(tmp_path, "a\tx\t1", "b\tx\t3", "b\tcolour\tred", "c\tcolour\tblue")
    table(tmp_path, "a,1,", "b,3,red", "c, ,blue", name="wide.csv", header="entity,x,colour")
    modalities, _ = read_modalities(tmp_path, {"numeric": "wide.csv"}, NAMES, train=TRAIN)
    assert torch.equal(modalities["numeric"].features, tall.features)
    assert torch.equal(modalities["numeric"].present, tall.present)


@pytest.mark.parametrize(
    ("header", "row", "complaint"),
    [
        ("entity\tx\tx", "a\t1\t2", "line 1: .* or 'entity' and the names of attributes, each once"),
        ("entity", "a", "line 1: 'entity'; the header must be"),
        ("entity\tx", "a\t1\t2", "line 2: 3 columns; expected an entity and its 1 attributes"),
        ("entity\tx", " \t1", "line 2: no entity; expected"),
        ("entity\tx", "a\t ", "no values after the header line"),
    ],
)
def test_bad_tables_of_entities_are_refused(tmp_path, header, row, complaint):
    with pytest.raises(InputError, match=f"attributes.tsv.*{complaint}"):
        read_attributes(table(tmp_path, row, header=header), {"a"})


def test_names_of_no_entity_are_counted(tmp_path):
    _, notes = numeric(tmp_path, "a\tx\t1", "b\tx\t2", "z\tx\t3")
    assert "attributes.tsv: 1 of its 3 names are no entity: z" in notes


def test_a_reader_standardises_on_its_training_triples(tmp_path):
    (tmp_path / "train.tsv").write_text("a\tr\tb\n", encoding="utf-8")
    (tmp_path / "test.tsv").write_text("a\tr\tc\n", encoding="utf-8")
    table(tmp_path, "a\tx\t1", "b\tx\t3", "c\tx\t4")
    graph = read_tsv(tmp_path, "g", {"numeric": "attributes.tsv"})
    np.testing.assert_allclose(graph.modalities["numeric"].features[:, 0], [-1, 1, 2])
