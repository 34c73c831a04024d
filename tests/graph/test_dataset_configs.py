import inspect

import pytest
from hydra.utils import get_method
from omegaconf import OmegaConf

from dhns.resources import conf_dir

FILES = sorted((conf_dir() / "dataset").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_keys_are_arguments_of_the_reader(path):
    config = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    reader = get_method(config.pop("_target_"))
    inspect.signature(reader).bind(**config)


def test_all_are_there():
    assert {path.stem for path in FILES} >= {
        "world_flags",
        "db15k",
        "mkg_w",
        "mkg_y",
        "fb15k_237",
        "wn18rr",
        "tsv",
        "edges",
    }
