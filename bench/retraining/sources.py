"""Where the images of a retraining come from, by name: sets in memory, or a folder of ImageNet."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import torch

from bench import images
from bench.folders import data_folder
from bench.retraining.folder import Folder
from bench.retraining.pictures import InMemory
from bench.retraining.recipes import Recipe
from bench.retraining.training import Pictures
from bench.store.spec import Scale

IMAGENET = "imagenet"
"""The set, and its folder below that of image files."""


class Source(Protocol):
    """A set of images. size: pixels of a side; tested: its test images; digest: tells one from another."""

    title: str
    classes: int
    channels: int
    size: int
    tested: int
    digest: str

    def pictures(self, recipe: Recipe, scale: Scale, device: torch.device) -> Pictures:
        """As a recipe at a scale sees them. Raises BadSpec where there are too few."""


class Whole:
    """A set in memory."""

    def __init__(self, loaded: images.ImageSet) -> None:
        self.loaded = loaded
        self.title, self.classes, self.digest = loaded.title, loaded.classes, loaded.digest
        self.channels, self.size, self.tested = loaded.channels, loaded.size, len(loaded.test)

    def pictures(self, recipe: Recipe, scale: Scale, device: torch.device) -> Pictures:
        """See `Source`."""
        return InMemory(self.loaded, recipe, scale, device)


def opened(name: str, root: Path | None = None) -> Source:
    """The set of that name. root: the folder of image files. Raises UnknownName, BadData."""
    return Folder(data_folder(root) / IMAGENET) if name == IMAGENET else Whole(images.load(name, root))
