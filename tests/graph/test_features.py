import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dhns.errors import InputError
from dhns.graph.features import read_modality

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
    with pytest.raises(InputError, match="holds keys x; expected a tensor named 'features'"):
        read_modality(tmp_path / "x.pth", 3)
    torch.save([ROWS], tmp_path / "y.pth")
    with pytest.raises(InputError, match="holds list"):
        read_modality(tmp_path / "y.pth", 3)
    with pytest.raises(InputError, match=r"x\.csv: unknown kind of feature file; expected \.pth"):
        read_modality(tmp_path / "x.csv", 3)


def test_benchmark_features(benchmarks):
    modality = read_modality(benchmarks / "MKG-Y" / "textual-sbert-label.safetensors", 15000, missing="none")
    assert modality.features.shape == (15000, 384)
    assert modality.features.dtype == torch.float16
