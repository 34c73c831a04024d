"""Raw material in a folder, and an encoder that needs no model."""

import torch
from PIL import Image

from dhns.features.encoder import FeatureEncoder
from dhns.graph.knowledge_graph import Vocabulary

COLOURS = {"red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
ENTITIES = Vocabulary("entity", ("c/red", "c/green", "c/blue", "c/none"), ("Red", "Green", "Blue", "None"))


def paint(path, colour, size=(20, 12)):
    """An image of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


class MeanColour(FeatureEncoder):
    """Mean red, green and blue of an image; stops after some calls, if asked to, as a killed process does."""

    def __init__(self, calls=None, name="mean colour", device="cpu"):
        self.calls, self.name, self.encoded = calls, name, 0

    @property
    def description(self):
        return {"name": self.name}

    def encode(self, items):
        if self.calls == 0:
            raise KeyboardInterrupt
        self.calls = None if self.calls is None else self.calls - 1
        self.encoded += len(items)
        means = [Image.Image.resize(image.convert("RGB"), (1, 1)).getpixel((0, 0)) for image in items]
        return torch.tensor(means, dtype=torch.float32)
