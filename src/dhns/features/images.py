"""Image files."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from dhns.errors import InputError


def is_image(path: Path) -> bool:
    """By its suffix, of a kind that Pillow reads."""
    return Image.registered_extensions().get(path.suffix.lower()) in Image.OPEN


def read_image(path: Path) -> Image.Image:
    """The first frame, upright as the camera's EXIF notes say, in RGBA.

    Raises:
        InputError: the file is no image, is damaged or cut short, or claims a size that no memory holds.
    """
    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(
            f"{path}: cannot be read as an image: {error}; replace or remove the file, or leave out all that are "
            "unreadable with when_unreadable=skip"
        ) from error


def on_white(image: Image.Image) -> Image.Image:
    """RGB, what is transparent being white."""
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
