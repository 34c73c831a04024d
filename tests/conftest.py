"""What tests of several packages share."""

import gc
import os
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from dhns.compat import composing_quickly
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.testing import small_graph

# no test fails for the time that it took, which other work on the machine can multiply
settings.register_profile("here", deadline=None)
# CI tries the same examples every time: a new find belongs into a session that can mend it
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("deep", max_examples=1000, deadline=None)  # for `make test-faults`
settings.load_profile("ci" if "CI" in os.environ else "here")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module", autouse=True)
def _what_is_imported_stays():
    """Spares the collector of garbage the million objects of torch, which it went through at every other training."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def composing_as_commands_do():
    """Closed and entered again by the tests of what is as quick."""
    with ExitStack() as stack:
        stack.enter_context(composing_quickly())
        yield stack


@pytest.fixture(scope="session")
def benchmarks() -> Path:
    """The folder that holds DB15K, MKG-W and MKG-Y; tests that need it are skipped where it is absent."""
    places = [REPOSITORY / "data", REPOSITORY.parent / "shared" / "benchmarks"]
    if "DHNS_DATA" in os.environ:
        places.insert(0, Path(os.environ["DHNS_DATA"]))
    for place in places:
        if (place / "DB15K" / "train2id.txt").is_file():
            return place
    pytest.skip(f"no DB15K in {', '.join(map(str, places))}; set DHNS_DATA to the folder of the benchmarks")


@pytest.fixture
def toy_graph() -> KnowledgeGraph:
    return small_graph()
