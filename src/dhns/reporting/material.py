"""What entities look like and what is said of them: images and texts, for examples."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dhns.errors import InputError
from dhns.features.images import read_image
from dhns.features.material import ImageFolder, TextTable
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.readers import read_openke
from dhns.resources import embedded_dir

PIXELS = 96
"""Of the longer side of an image: twice what the page shows, for fine screens."""
NONE = (
    "The run keeps features, not the images and texts that they were made of. images=FOLDER and texts=FILE show these "
    "too; both are laid out as for dhns features."
)


@dataclass(frozen=True)
class Descriptions:
    """Images and texts by entity id.

    Attributes:
        unreadable: names of files that turned out to be no image, or a damaged one.
    """

    images: Mapping[int, Path]
    texts: Mapping[int, str]
    unreadable: list[str] = field(default_factory=list)

    def image(self, entity: int) -> str | None:
        """A small PNG as the address of a page that holds it; None where there is none."""
        if (path := self.images.get(entity)) is None:
            return None
        try:
            image = read_image(path)
        except InputError:
            self.unreadable.append(path.name)
            return None
        image.thumbnail((PIXELS, PIXELS))
        content = io.BytesIO()
        image.save(content, "PNG", optimize=True)
        return data_address(content.getvalue())


def descriptions(graph: KnowledgeGraph, images: Path | None = None, texts: Path | None = None) -> Descriptions:
    """Of the entities of a graph; the embedded data set brings its own.

    Args:
        graph: whose entities are described.
        images: a folder, see `ImageFolder`.
        texts: a file, see `TextTable`.

    Raises:
        InputError: a folder or file is not there, malformed, or of other entities.
    """
    if images is None and texts is None and _is_embedded(graph):
        images, texts = embedded_dir() / "thumbnails", embedded_dir() / "entities.tsv"
    pictures = ImageFolder(images, graph.entities).items if images else []
    said = TextTable(texts, graph.entities).items if texts else []
    labels = graph.entities.labels
    return Descriptions(
        dict(reversed(pictures)),  # the first of several
        {entity: text.removeprefix(f"{labels[entity]}: ") for entity, text in reversed(said)},
    )


def data_address(png: bytes) -> str:
    """An address that is the image itself."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _is_embedded(graph: KnowledgeGraph) -> bool:
    if graph.name != "world_flags":
        return False
    return read_openke(embedded_dir(), name=graph.name).entities.keys == graph.entities.keys
