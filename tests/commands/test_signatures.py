"""What the source says of a target is what the imported object says, and asking it imports nothing."""

import subprocess
import sys

import pytest
from hydra.utils import get_object

from builders import composed
from dhns.config.signatures import imported, written


def targets(node):
    if isinstance(node, dict):
        yield from [node["_target_"]] if "_target_" in node else []
        for child in node.values():
            yield from targets(child)


def shipped():
    from omegaconf import OmegaConf

    from dhns.resources import conf_dir

    found = set()
    for path in conf_dir().rglob("*.yaml"):
        found |= set(targets(OmegaConf.to_container(OmegaConf.load(path), resolve=False)))
    return sorted(target for target in found if target.startswith("dhns.") and "sources" not in target)


def test_source_and_object_agree():
    for target in shipped():
        by_source, by_object = written(target), imported(get_object(target))
        if by_source is None:
            continue
        assert (by_source.name, by_source.arguments, by_source.open_ended) == by_object[:3], target
        for name, hint in by_source.hints.items():
            assert hint == by_object.hints[name], (target, name)


def test_most_targets_tell_by_their_source():
    told = [written(target) is not None for target in shipped()]
    assert sum(told) > 0.8 * len(told) > 20


@pytest.mark.parametrize("reader", ["read_openke", "read_tsv", "read_edge_list"])
def test_what_a_package_offers_is_found_in_its_modules(reader):
    assert written(f"dhns.graph.readers.{reader}").name == reader
    assert written("dhns.graph.readers.read_nothing") is None


def test_others_are_left_to_the_import():
    assert written("torch.optim.Adam") is None
    assert written("dhns.scorers.rotate.Nothing") is None
    assert written("dhns.nowhere.RotatE") is None


def test_a_value_of_the_wrong_kind_is_told_without_importing_torch():
    composed()  # the tree is there
    program = (
        "import sys; sys.argv = ['dhns', 'train', 'scorer.dim=x']\n"
        "import dhns.cli\n"
        "try: dhns.cli.main()\n"
        "except SystemExit as error: print(error.code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "scorer.dim is 'x'; expected" in done.stderr
    assert done.stdout.split() == ["2", "False"]
