"""Parameters and FLOPs as the official files give them, against the counts of a table, which are for CIFAR-10.

The official networks have 16 channels and 5 cells per stage and differ between data sets in the head and the image
size alone, so that one pair of whole numbers per architecture says them all. Official FLOPs count a multiply-add per
bias of the head; the table's multiply-adds do not.
"""

from __future__ import annotations

from bench.errors import BadTable

CLASSES = {"cifar10-valid": 10, "cifar10": 10, "cifar100": 100, "ImageNet16-120": 120}
_HEAD_INPUTS = 64  # channels of the last stage
_TEN = 10
_SMALLER = {"ImageNet16-120": 4}  # 16 x 16 instead of 32 x 32 pixels
_TOLERANCE = 1e-3  # of a count: what is left of a whole number after its way through millions


def official(parameters: int, multiply_adds: int, dataset: str) -> tuple[float, float]:
    """Parameters and FLOPs in millions, as the official files have them for a data set."""
    classes = CLASSES[dataset]
    body = multiply_adds - _HEAD_INPUTS * _TEN
    flops = body // _SMALLER.get(dataset, 1) + (_HEAD_INPUTS + 1) * classes
    return (parameters + (_HEAD_INPUTS + 1) * (classes - _TEN)) / 1e6, flops / 1e6


def for_table(parameters: float, flops: float, dataset: str) -> tuple[tuple[int, int], bool]:
    """The inverse of `official`, and whether both were whole numbers, as means of trainings that disagree are not.
    Raises BadTable where the numbers are smaller than those of the head alone."""
    classes = CLASSES[dataset]
    body = (round(1e6 * flops) - (_HEAD_INPUTS + 1) * classes) * _SMALLER.get(dataset, 1)
    found = round(1e6 * parameters) - (_HEAD_INPUTS + 1) * (classes - _TEN), body + _HEAD_INPUTS * _TEN
    if min(found) < 0:
        raise BadTable(f"{parameters} million parameters and {flops} million FLOPs are too few for {dataset}")
    return found, _whole(parameters) and _whole(flops)


def _whole(millions: float) -> bool:
    count = round(1e6 * millions)
    return abs(1e6 * millions - count) <= _TOLERANCE * max(1.0, count * 1e-6)
