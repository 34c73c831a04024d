"""What tests of several packages share."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from dhns.graph.knowledge_graph import KnowledgeGraph, Modality, Vocabulary

# CI tries the same examples every time: a new find belongs into a session that can mend it
settings.register_profile("ci", derandomize=True)
settings.register_profile("deep", max_examples=1000)  # for `make test-faults`
if "CI" in os.environ:
    settings.load_profile("ci")

REPOSITORY = Path(__file__).resolve().parents[1]


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
    """12 entities, 3 relations, 24 triples; everyone has text, every second entity an image.

    ``next`` (0) links a ring, ``previous`` (1) is its inverse, ``kind of`` (2) leads to entity 0 or 1.
    """
    ring = [(i, 0, (i + 1) % 12) for i in range(12)]
    back = [(i, 1, i - 1) for i in (3, 4, 6, 7)]
    kinds = [(i, 2, i % 2) for i in range(2, 10)]
    generator = torch.Generator().manual_seed(0)
    present = torch.arange(12) % 2 == 0
    images = torch.randn(12, 5, generator=generator).masked_fill(~present[:, None], 0)
    texts = torch.randn(12, 4, generator=generator)
    return KnowledgeGraph(
        name="toy",
        entities=Vocabulary("entity", tuple(f"e{i}" for i in range(12)), tuple(f"Entity {i}" for i in range(12))),
        relations=Vocabulary("relation", ("next", "previous", "kind_of"), ("next", "previous", "kind of")),
        train=torch.tensor(ring[:10] + back[:2] + kinds[:6]),
        valid=torch.tensor([ring[10], back[2], kinds[6]]),
        test=torch.tensor([ring[11], back[3], kinds[7]]),
        modalities={"visual": Modality(images, present), "textual": Modality(texts, torch.ones(12, dtype=torch.bool))},
    )
