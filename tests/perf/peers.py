"""A pair of updates of first-order DARTS, alpha's and the weights', here and in the code of peers.

python -m tests.perf.peers GM-NAS AutoDL-Projects

The arguments are checkouts of https://github.com/skhu101/GM-NAS and https://github.com/D-X-Y/AutoDL-Projects, or of
code that grew out of them. Every pair does what that code's own search loop does with two batches, without its loading
of images and its logs: ours is `Learner`'s. Same shapes, batch 64, single precision, one thread, CPU time, in turn.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.errors import BadSpec
from bench.images.batches import Batch
from bench.search.learner import Training
from bench.search.task import Task
from bench.spaces.layout import Shape
from bench.spaces.nb201 import SPACE
from bench.store.spec import Scale
from methods.darts import Darts
from tests.perf.gpu import search_images
from tests.perf.interleaved import table, timed

BATCH = 64
SIZES = {Shape(16, 5, 10, 3, 32): 1, Shape(8, 1, 10, 3, 8): 8, Shape(4, 1, 10, 3, 8): 10}
"""Shapes, and how many pairs are timed together."""

OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
TRAINING = Training(batch=BATCH)

Pair = Callable[[], object]


def ours(shape: Shape) -> Pair:
    """By a learner, as every search calls it."""
    scale = Scale("peers", shape.channels, shape.cells, 4 * BATCH, 4 * BATCH, 1.0, 0, 0)
    images, _ = search_images(scale, shape.image_size)
    task = Task(SPACE, images, scale, 0, torch.device("cpu"))
    learner = task.learner(Darts(TRAINING), TRAINING)
    learner.supernet.train()
    train, valid = next(learner.train.epoch()), next(learner.valid.epoch())

    def pair() -> None:
        learner.stepper.alpha(learner, train, valid)
        learner.stepper.weights(learner, train, None, True)

    return pair


def batches(shape: Shape) -> Iterator[Batch]:
    """Random images of that shape, without end."""
    generator = torch.Generator().manual_seed(0)
    size = BATCH, shape.image_channels, shape.image_size, shape.image_size
    while True:
        labels = torch.randint(0, shape.classes, (BATCH,), generator=generator)
        yield Batch(torch.randn(size, generator=generator), labels)


def theirs(network: torch.nn.Module, alpha: Tensor, shape: Shape) -> Pair:
    """The loop of both peers (`train_search.py` and `architect_ig.py`; `search-cell.py`): whole passes back for alpha
    and for the weights, Adam, gradients clipped, SGD with Nesterov's momentum."""
    weights = [p for p in network.parameters() if p is not alpha]
    adam = torch.optim.Adam([alpha], TRAINING.alpha_rate, TRAINING.alpha_betas, weight_decay=TRAINING.alpha_decay)
    sgd = torch.optim.SGD(
        weights, TRAINING.learning_rate, TRAINING.momentum, weight_decay=TRAINING.weight_decay, nesterov=True
    )
    drawn = batches(shape)
    train, valid = next(drawn), next(drawn)

    def passed(batch: Batch) -> None:
        adam.zero_grad()
        sgd.zero_grad()
        logits = network(batch.images)
        F.cross_entropy(logits[-1] if isinstance(logits, tuple) else logits, batch.labels).backward()

    def pair() -> None:
        network.train()
        passed(valid)
        adam.step()
        passed(train)
        torch.nn.utils.clip_grad_norm_(weights, TRAINING.clip)
        sgd.step()

    return pair


def peer(checkout: Path, shape: Shape) -> Pair:
    """That of a checkout. Raises BadSpec where it has no DARTS supernet of NAS-Bench-201 that can be imported."""
    sys.path[:0] = [str(checkout), str(checkout / "WS-GM")]
    tried = []
    for package in ("nasbench201", "xautodl.models.cell_searchs"):
        try:
            kind = importlib.import_module(f"{package}.search_model_darts").TinyNetworkDarts
        except ImportError as error:
            tried.append(f"{package}: {error}")
            continue
        finally:
            sys.path = [place for place in sys.path if not place.startswith(str(checkout))]
        return _pair_of(kind, package, shape)
    raise BadSpec(f"{checkout} has no NAS-Bench-201 DARTS supernet that can be imported ({'; '.join(tried)})")


def _pair_of(kind: Any, package: str, shape: Shape) -> Pair:
    size = shape.channels, shape.cells, 4, shape.classes
    if package != "nasbench201":
        network = kind(*size, OPERATIONS, False, False)
        return theirs(network, network.alphas[0], shape)
    rates: Mapping[str, Any] = {"learning_rate": 0.025, "momentum": 0.9, "weight_decay": 5e-4, "nesterov": True}
    with _without_gpu():
        network = kind(*size, F.cross_entropy, OPERATIONS, Namespace(fs_opt=True, **rates), False, False)
    return theirs(network, network.arch_parameters()[0], shape)


@contextmanager
def _without_gpu() -> Iterator[None]:
    """`Tensor.cuda` leaves a tensor where it is: GM-NAS puts its alpha on a GPU when a network is made."""
    cuda = torch.Tensor.cuda
    torch.Tensor.cuda = lambda tensor, *rest, **named: tensor  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        torch.Tensor.cuda = cuda  # type: ignore[method-assign]


def main() -> None:
    """A table per size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkouts", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--channels", type=int, nargs="+", default=[shape.channels for shape in SIZES])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for shape, calls in SIZES.items():
        if shape.channels not in asked.channels:
            continue
        forms = {checkout.name: peer(checkout, shape) for checkout in asked.checkouts}
        timings = timed({**forms, "ours": ours(shape)}, asked.rounds, calls)
        size = f"C={shape.channels} N={shape.cells} {shape.image_size}x{shape.image_size}, batch {BATCH}"
        for name in forms:
            here = {each: timings[each] for each in (name, "ours")}
            print(table(f"pair of DARTS updates, {size}, against {name}", here, name), flush=True)


if __name__ == "__main__":
    main()
