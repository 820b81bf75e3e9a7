"""Cuts of the DARTS space against the authors' code on equal distances between operations.

The numbers were made by running, on the distances of `_distances`:

- github.com/skhu101/GM-NAS, commit a69837daca5b845a4d42e5fb2a76e90b929db3b9, WS-GM/sota/cnn/train_search_ws.py:
  `mincut_split_darts`;
- github.com/Jianf-l/hepnas, commit c61798fb4ca69acd4d7552a6b9504845dc36a6c2,
  sota/cnn/train_search_ws_edge_final.py: the same function, and the masks of children that `main` makes of its groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.spaces.darts import SPACE
from methods.gmnas import OneEdge
from methods.hepnas import HepNas, Hierarchy
from methods.matching import Matching, parted
from methods.partition import Growth
from methods.parts import Split
from tests import tiny

SMALLER = "023 356 016 015 046 356 245 015 046 016 015 046 356 245"
"""By edge of the normal cell, the group of three of the seven operations."""
WITHIN = [
    *(4.541450, 4.424882, 4.112602, 3.951486, 4.531390, 4.669074, 4.344544),
    *(3.963161, 4.637839, 4.531398, 4.152290, 4.499733, 4.487375, 4.083014),
]
"""What lies within both groups."""
MASKS = """
1100001 1100010 1000101
1100001 1100010 0111010
1100001 0011101 1000101
1100001 0011101 0111010
0011110 1100010 1000101
0011110 1100010 0111010
0011110 0011101 1000101
0011110 0011101 0111010
"""
"""Of the children of a cut of node 3, on its edges 2, 3 and 4."""


def _distances(edge: int) -> NDArray[np.float64]:
    """Between seven operations: of i < j the size of sin(1.3 (49 edge + 7 i + j))."""
    upper = np.triu(np.abs(np.sin(1.3 * (49 * edge + np.arange(49).reshape(7, 7)))), 1)
    return upper + upper.T


@dataclass(frozen=True)
class _Given(Matching):
    """These distances, whatever the gradients are."""

    def split(self, task: Any, parent: Any, edge: int) -> Split:
        return parted(_distances(edge), parent.region.lists[edge])


def _splits() -> dict[int, Split]:
    parent = SimpleNamespace(region=SPACE.region)
    return {edge: _Given().split(None, parent, edge) for edge in range(14)}


def test_groups_and_what_lies_within_them_are_the_authors() -> None:
    """Operations are numbered from 1 here: 0 is `none`, which these searches do not take."""
    splits = _splits()
    for edge, group in enumerate(SMALLER.split()):
        smaller = min(splits[edge].groups, key=len)
        assert [op - 1 for op in smaller] == list(map(int, group))
        assert splits[edge].within == pytest.approx(WITHIN[edge], abs=1e-6)


def test_the_edge_with_the_least_within_its_groups_is_cut() -> None:
    """`split_supernet` takes the first of them."""
    assert OneEdge("within", cells=("normal",)).chosen(_splits()) == [int(np.argmin(WITHIN))] == [3]


def test_children_of_a_node_have_the_masks_of_the_authors() -> None:
    """Every product of the groups of its edges, all other edges as they were."""
    search, task = HepNas(grouping=_Given(), edges=Hierarchy(cells=("normal",))), tiny.task(SPACE)
    regions, _ = Growth(search, task, search.written(task)).regions(SimpleNamespace(region=SPACE.region), 1)  # type: ignore[arg-type]
    masks = [region.mask(8)[:, 1:].astype(int) for region in regions]
    found = {tuple("".join(map(str, mask[edge])) for edge in (2, 3, 4)) for mask in masks}
    assert found == {tuple(line.split()) for line in MASKS.split("\n") if line}
    assert len(masks) == 8
    for mask in masks:
        assert np.delete(mask, [2, 3, 4], axis=0).all()
