import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dhns.errors import InputError
from dhns.graph.features import read_modalities, read_modality
from dhns.graph.fingerprint import key_fingerprint
from dhns.graph.knowledge_graph import Vocabulary

ROWS = torch.tensor([[1.0, 2.0], [0.0, 0.0], [3.0, 4.0]])


@pytest.fixture(params=["pth", "pt", "safetensors", "npy"])
def save(request, tmp_path):
    path = tmp_path / f"features.{request.param}"
    writers = {
        "npy": lambda tensor: np.save(path, tensor.numpy()),
        "safetensors": lambda tensor: save_file({"features": tensor}, path),
    }

    def write(tensor):
        writers.get(request.param, lambda t: torch.save(t, path))(tensor)
        return path

    return write


def test_every_kind_of_file_keeps_values_and_type(save):
    modality = read_modality(save(ROWS.half()), 3)
    assert modality.features.dtype == torch.float16
    assert torch.equal(modality.features, ROWS.half())
    assert modality.present.all()
    assert modality.dim == 2


def test_zero_rows_are_missing_only_on_request(save):
    path = save(ROWS)
    assert read_modality(path, 3, missing="zero_rows").present.tolist() == [True, False, True]
    assert read_modality(path, 3).present.all()


def test_index_scatters_rows(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"features": ROWS[[0, 2]], "index": torch.tensor([3, 1])}, path)
    modality = read_modality(path, 4)
    assert modality.features.tolist() == [[0, 0], [3, 4], [0, 0], [1, 2]]
    assert modality.present.tolist() == [False, True, False, True]
    with pytest.raises(InputError, match=r"no features for entity ids 0, 2; missing=none needs all 4"):
        read_modality(path, 4, missing="none")


def test_present_masks_rows_whatever_they_hold(tmp_path):
    rows = ROWS.clone()
    rows[1] = torch.nan
    torch.save({"features": rows, "present": torch.tensor([True, False, True])}, tmp_path / "x.pt")
    modality = read_modality(tmp_path / "x.pt", 3)
    assert modality.present.tolist() == [True, False, True]
    assert modality.features[1].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (ROWS, r"3 feature rows, but the graph has 4 entities"),
        (ROWS.int(), r"features are torch\.int32; expected floating point"),
        (ROWS[0], r"shape \(2,\); expected \(entities, dim\)"),
        (torch.zeros(4, 0), r"shape \(4, 0\)"),
        (torch.tensor([[0.0], [np.nan], [0.0], [np.inf]]), r"NaN or infinite features for entity ids 1, 3"),
        (torch.full((4, 1), torch.inf), r"entity ids 0, 1, 2, 3"),
    ],
)
def test_bad_tensors(save, tensor, message):
    path = save(tensor)
    with pytest.raises(InputError, match=message) as error:
        read_modality(path, 4)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"index": torch.tensor([0, 1, 5])}, r"index holds entity id 5; the ids of 4 entities go from 0 to 3"),
        ({"index": torch.tensor([0, -1, 1])}, r"index holds entity id -1"),
        ({"index": torch.tensor([2, 1, 2])}, r"index holds entity id 2 more than once"),
        ({"index": torch.tensor([0, 1])}, r"index is torch\.int64 of shape \(2,\).*3 feature rows"),
        ({"index": torch.tensor([0.0, 1.0, 2.0])}, r"index is torch\.float32"),
        ({"present": torch.tensor([True])}, r"3 feature rows, but the graph has 4"),
    ],
)
def test_bad_index(tmp_path, extra, message):
    save_file({"features": ROWS, **extra}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match=message):
        read_modality(tmp_path / "x.safetensors", 4)


def test_bad_mask(tmp_path):
    torch.save({"features": ROWS, "present": torch.ones(3)}, tmp_path / "x.pt")
    with pytest.raises(InputError, match=r"present is torch\.float32 of shape \(3,\); expected torch\.bool"):
        read_modality(tmp_path / "x.pt", 3)


def test_truncated_file(save):
    path = save(torch.rand(50, 20))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"features\.\w+: cannot be read as tensors"):
        read_modality(path, 50)


def test_pickled_objects_are_refused(tmp_path):
    class Payload:
        def __reduce__(self):
            return (tmp_path.joinpath("owned").touch, ())

    torch.save(Payload(), tmp_path / "x.pth")
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    for name in ("x.pth", "x.npy"):
        with pytest.raises(InputError, match=rf"{name}: cannot be read .* never loaded"):
            read_modality(tmp_path / name, 1)
    assert not (tmp_path / "owned").exists()


def test_other_contents_and_suffixes(tmp_path):
    torch.save({"x": ROWS}, tmp_path / "x.pth")
    with pytest.raises(InputError, match="holds keys x; expected a tensor 'features'"):
        read_modality(tmp_path / "x.pth", 3)
    torch.save([ROWS], tmp_path / "y.pth")
    with pytest.raises(InputError, match="holds list"):
        read_modality(tmp_path / "y.pth", 3)
    with pytest.raises(InputError, match=r"x\.csv: unknown kind of feature file; expected \.pth"):
        read_modality(tmp_path / "x.csv", 3)


# --- types of numbers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.float64, np.longdouble, np.dtype(">f4"), np.dtype(">f8")])
def test_other_floating_types_of_numpy_become_float32(tmp_path, kind):
    np.save(tmp_path / "x.npy", ROWS.numpy().astype(kind))
    features = read_modality(tmp_path / "x.npy", 3).features
    assert features.dtype == torch.float32
    assert torch.equal(features, ROWS)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32])
def test_shorter_types_are_kept(tmp_path, kind):
    torch.save(ROWS.to(kind), tmp_path / "x.pt")
    assert read_modality(tmp_path / "x.pt", 3).features.dtype == kind


def test_numbers_beyond_float32_are_refused(save):
    rows = ROWS.double()
    rows[1, 0] = 1e39
    with pytest.raises(InputError, match="beyond the range of float32 for entity id 1; scale them down"):
        read_modality(save(rows), 3)


# --- rows by name --------------------------------------------------------------------------------------------------

NAMES = Vocabulary("entity", ("b", "a", "c"), ("b", "a", "c"))


@pytest.fixture(params=["npz", "pth", "keys.pth", "safetensors", "vectors.npz"])
def by_name(request, tmp_path):
    """Writes rows and their names in every layout that takes names."""
    path = tmp_path / f"features.{request.param}"

    def write(names, rows):
        vectors = dict(zip(names, rows, strict=True))
        if request.param == "npz":
            np.savez(path, keys=np.array(names), features=rows.numpy())
        elif request.param == "keys.pth":
            torch.save({"keys": names, "features": rows}, path)
        elif request.param == "vectors.npz":
            np.savez(path, **{name: row.numpy() for name, row in vectors.items()})
        elif request.param == "safetensors":
            save_file({name: row.clone() for name, row in vectors.items()}, path)
        else:
            torch.save(vectors, path)
        return path

    return write


def test_rows_come_by_name_whatever_their_order(by_name, tmp_path):
    path = by_name(["c", "x", "b"], ROWS.double())
    modalities, notes = read_modalities(tmp_path, {"textual": path.name}, NAMES, ids_fixed=False)
    assert modalities["textual"].features.tolist() == [[3, 4], [0, 0], [1, 2]]
    assert modalities["textual"].present.tolist() == [True, False, True]
    assert notes == [f"{path.name}: 1 of its 3 names are no entity: x"]


def test_names_of_no_entity_at_all_are_refused_in_few_words(by_name):
    names = [f"n{index}" for index in range(2000)]
    with pytest.raises(
        InputError, match=r"none of its 2000 names \(n\d+, .*, \.\.\.\) is the key .* such as 'b'"
    ) as error:
        read_modality(by_name(names, torch.ones(2000, 2)), 3, ids=NAMES.ids)
    assert len(str(error.value)) < 400


def test_a_dictionary_of_other_things_is_told_in_few_words(tmp_path):
    torch.save({f"layer{index}": torch.ones(2, 2) for index in range(2000)}, tmp_path / "x.pth")
    with pytest.raises(InputError, match=r"holds keys layer0, .*, \.\.\. \(2000 in all\); expected a tensor") as error:
        read_modality(tmp_path / "x.pth", 3)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({0: torch.ones(2)}, "holds vectors under ints such as 0; expected names"),
        ({"a": torch.ones(2), "b": torch.ones(3)}, r"the vector of 'b' is \(3,\); expected \(2,\) as for 'a'"),
        ({"a": torch.ones(2), "b": torch.ones(1, 2)}, r"the vector of 'b' is \(1, 2\); expected \(2,\)"),
        ({"a": torch.ones(2), "b": "text"}, "the vector of 'b' is str"),
        ({"features": ROWS, "keys": ["a", "b"]}, "keys are 2 in a list; expected .* each of the 3 feature rows"),
        ({"features": ROWS, "keys": [1, 2, 3]}, "keys are 3 in a list; expected names in text"),
        ({"features": ROWS, "keys": ["a", "b", "a"]}, "keys hold 'a' more than once"),
        ({"features": ROWS, "keys": ["a", "b", "c"], "index": torch.arange(3)}, "holds keys and an index or a mask"),
        ({"features": ROWS, "index": [0, 1, 2]}, "index is list; expected a tensor"),
        ({}, "holds nothing; expected"),
    ],
)
def test_bad_dictionaries(tmp_path, content, message):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(InputError, match=message):
        read_modality(tmp_path / "x.pth", 3, ids=NAMES.ids)


def test_a_dictionary_of_lists_is_taken(tmp_path):
    torch.save({"a": [1.0, 2], "b": [3, 4.5]}, tmp_path / "x.pth")
    assert read_modality(tmp_path / "x.pth", 3, ids=NAMES.ids).features.tolist() == [[3, 4.5], [1, 2], [0, 0]]


# --- rows by place -------------------------------------------------------------------------------------------------


def described(tmp_path, entities):
    description = {"entities": {"count": len(entities), "sha256": key_fingerprint(entities)}}
    (tmp_path / "x.json").write_text(json.dumps(description))


@pytest.mark.parametrize("content", [{"features": ROWS}, {"features": ROWS, "index": torch.arange(3)}])
def test_ids_that_no_file_fixes_are_told(tmp_path, content):
    save_file(content, tmp_path / "x.safetensors")
    sources = {"textual": "x.safetensors"}
    _, (note,) = read_modalities(tmp_path, sources, NAMES, ids_fixed=False)
    assert note.startswith("x.safetensors: rows were taken in the order of the sorted names")
    assert read_modalities(tmp_path, sources, NAMES, ids_fixed=True)[1] == []
    described(tmp_path, NAMES)  # as dhns features does
    assert read_modalities(tmp_path, sources, NAMES, ids_fixed=False)[1] == []


def test_features_made_for_entities_in_another_order_are_refused(tmp_path):
    save_file({"features": ROWS}, tmp_path / "x.safetensors")
    described(tmp_path, Vocabulary("entity", ("a", "b", "c"), ("a", "b", "c")))
    with pytest.raises(InputError, match=r"x\.safetensors: made for 3 entities in another order .* as x\.json"):
        read_modalities(tmp_path, {"textual": "x.safetensors"}, NAMES)


@pytest.mark.parametrize("text", ["[]", "{", '{"entities": 3}', '{"entities": {"count": 3}}'])
def test_other_descriptions_say_nothing(tmp_path, text):
    save_file({"features": ROWS}, tmp_path / "x.safetensors")
    (tmp_path / "x.json").write_text(text)
    assert len(read_modalities(tmp_path, {"textual": "x.safetensors"}, NAMES, ids_fixed=False)[1]) == 1


def test_benchmark_features(benchmarks):
    modality = read_modality(benchmarks / "MKG-Y" / "textual-sbert-label.safetensors", 15000, missing="none")
    assert modality.features.shape == (15000, 384)
    assert modality.features.dtype == torch.float16
