"""Published tensors in our layout."""

import hashlib
import pickle

import pytest
import torch
from safetensors import safe_open

from dhns.errors import InputError
from dhns.graph.features import read_modality
from dhns.sources.feature_files import convert_official
from dhns.sources.source import PublishedFile

ENTITIES = 6


def published(folder, content, entities=None):
    path = folder / "SET-visual.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return PublishedFile(path.name, len(data), digest, modality="visual", entities=entities)


def features():
    tensor = torch.randn(ENTITIES, 3, generator=torch.Generator().manual_seed(0))
    tensor[[1, 4]] = 0
    return tensor


def test_a_tensor_becomes_safetensors_with_a_mask(tmp_path):
    file = published(tmp_path, features(), entities=4)
    path, counted = convert_official(file, tmp_path, ENTITIES)
    assert path == tmp_path / "visual-official.safetensors"
    modality = read_modality(path, ENTITIES)
    assert torch.equal(modality.features, features())
    assert modality.present.tolist() == [True, False, True, True, False, True]
    assert counted == "4 of 6 entities have a row that is not zero"
    with safe_open(path, framework="pt") as opened:
        assert opened.metadata() == {"made_from": file.name, "sha256": file.sha256}


def test_rows_that_are_filled_without_a_mark_are_told(tmp_path):
    _, counted = convert_official(published(tmp_path, features(), entities=2), tmp_path, ENTITIES)
    assert "the paper counts 2 with this modality" in counted


class Trap:
    def __reduce__(self):
        return print, ("unpickled",)


@pytest.mark.parametrize("content", [pickle.dumps(Trap(), protocol=2), {"features": Trap()}], ids=["pickle", "torch"])
def test_code_in_a_pickle_is_not_run(tmp_path, content, capsys):
    with pytest.raises(InputError, match="never loaded"):
        convert_official(published(tmp_path, content), tmp_path, ENTITIES)
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "visual-official.safetensors").exists()


def test_rows_that_do_not_fit_the_entities_are_refused(tmp_path):
    with pytest.raises(InputError, match="6 feature rows, but the graph has 7 entities"):
        convert_official(published(tmp_path, features()), tmp_path, ENTITIES + 1)
