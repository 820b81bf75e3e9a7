"""The bases of partition searches, made from their labels in `bench/store/bases.py`."""

from __future__ import annotations

from collections.abc import Mapping

from bench.store.bases import BASES, ELSEWHERE
from bench.store.labels import parsed
from bench.store.spec import with_settings
from methods import darts, proxyless, rsps, shrink, snas, spos
from methods.oneshot import OneShot

ALONE: Mapping[str, OneShot] = {
    **darts.VARIANTS,
    **proxyless.VARIANTS,
    **rsps.VARIANTS,
    **shrink.VARIANTS,
    **snas.VARIANTS,
    **spos.VARIANTS,
}


def base_of(label: str, space: str = "") -> OneShot:
    """The base of the partition search `label`: on that space, where it has one of its own there."""
    name, settings = parsed(ELSEWHERE.get(space, {}).get(label, BASES[label]))
    base: OneShot = with_settings(ALONE[name], settings)
    return base
