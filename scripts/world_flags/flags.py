"""Flags as pictures: rendering, colours, thumbnails."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import cairosvg
import numpy as np
from PIL import Image

from .facts import Draft
from .sources import Sources

# The palette that circle-flags documents; each drawing uses it and little else.
PALETTE = {
    "d80027": "red",
    "a2001d": "maroon",
    "0052b4": "blue",
    "338af3": "light blue",
    "6da544": "green",
    "496e2d": "green",
    "ffda44": "yellow",
    "ff9811": "orange",
    "333333": "black",
    "eeeeee": "white",
    "751a46": "purple",
    "acabb1": "grey",
}
OPAQUE = 200
VISIBLE_SHARE = 0.05
THUMBNAIL = 64


def render(drawing: Path, size: int, scaling: Image.Resampling = Image.Resampling.LANCZOS) -> Image.Image:
    """A flag as a square RGBA picture.

    CairoSVG misplaces masks when it scales (every drawing here has one), so it renders at the drawing's own size and
    Pillow scales.
    """
    picture = Image.open(io.BytesIO(cairosvg.svg2png(url=str(drawing)))).convert("RGBA")
    return picture.resize((size, size), scaling)


def drawings(draft: Draft, sources: Sources) -> Iterator[tuple[str, Path]]:
    """``(id string, drawing)`` of every entity that has a flag."""
    for entity in draft.of_kind("country", "subdivision"):
        yield entity.key, sources.flag(entity.key.split("/")[1].lower())
    yield "union/EU", sources.flag("european_union")


def add_colours(draft: Draft, sources: Sources) -> None:
    """Say which colours each flag shows."""
    for name, drawing in list(drawings(draft, sources)):
        # Smooth scaling would blend neighbours into colours that the flag does not have.
        for colour in colours(render(drawing, THUMBNAIL, Image.Resampling.NEAREST)):
            draft.add(name, "flag_colour", draft.entity("colour", colour.replace(" ", "_"), colour))


def colours(picture: Image.Image) -> list[str]:
    """Palette colours that cover a visible share of the picture, by name."""
    pixels = np.asarray(picture).reshape(-1, 4).astype(int)
    opaque = pixels[pixels[:, 3] > OPAQUE, :3]
    palette = np.array([list(bytes.fromhex(code)) for code in PALETTE])
    nearest = ((opaque[:, None] - palette) ** 2).sum(axis=2).argmin(axis=1)
    names = np.array(list(PALETTE.values()))[nearest]
    return [name for name in dict.fromkeys(PALETTE.values()) if (names == name).mean() >= VISIBLE_SHARE]


def save_thumbnail(picture: Image.Image, path: Path) -> None:
    """A small PNG with 64 colours, alpha included."""
    # The only quantiser of Pillow that takes alpha into account.
    picture.quantize(colors=64, method=Image.Quantize.FASTOCTREE).save(path, optimize=True)
