"""What every method on every space is held to. A method is found by its file; nothing is registered here."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any

import methods
from bench import images, spaces
from bench.images import ImageSet
from bench.spaces import darts
from bench.store.spec import Scale, with_settings

SCALE = Scale("contract", 2, 1, 16, 16, 0.004, 12, 16)
"""Every phase lasts one step."""

SCARCE = dataclasses.replace(SCALE, name="scarce", valid_images=8)
"""Fewer validation images than a batch."""

SMALL = {
    "batch": "16",
    "candidates": "3",
    "rounds": "2",
    "networks": "4",
    "cells": "3",
    "population": "3",
    "generations": "2",
    "share": "2",
    "images": "16",
}
"""Numbers that are set to less wherever a method has them, at any depth."""

LABELS = sorted(methods.variants())
SELDOM = ("blank-pt", "snas-pt", "beta-darts", "sdarts", "reinmax", "nwot", "jacov")
"""What differs little from what is tried under another label: by default they are not."""
KINDS = list({type(methods.get(label)): label for label in reversed(LABELS) if label not in SELDOM}.values())
"""One label for every class of methods."""

SPACES = sorted(spaces.SPACES)

FEWER = {
    "nb201": ("darts-2nd", "snas", "rsps", "rsps-per-cell", "fewshot-rsps", "gm-rsps-random", "bayes", "parameters"),
    "macro": ("darts", "rsps", "gm-darts"),
    "accel": ("rsps", "proxyless"),
    **{space.name: ("rsps",) for space in darts.SPACES},
    darts.SPACE.name: ("darts", "rsps"),
}
"""Of larger spaces whose kinds of cell the smaller ones have too: what is tried there by default."""


def smaller(method: Any) -> Any:
    """The method with less to do."""
    method = with_settings(method, dict(_less(method, "")))
    if getattr(method, "first", 0) > getattr(method, "networks", 0):
        return dataclasses.replace(method, first=method.networks)
    return method


def _less(part: Any, path: str) -> Any:
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if dataclasses.is_dataclass(value):
            yield from _less(value, f"{path}{field.name}.")
        elif field.name in SMALL and isinstance(value, int) and value > int(SMALL[field.name]):
            yield f"{path}{field.name}", SMALL[field.name]


@lru_cache
def patches(name: str, *rest: Any) -> ImageSet:
    """The image set, loaded once."""
    return images.load(name)
