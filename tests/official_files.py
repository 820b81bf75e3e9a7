"""Made-up official files, written through the packages' own classes in the layout of the released ones."""

from __future__ import annotations

import pickle
import random
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nats_bench import pickle_save

from bench.spaces.layout import Shape
from bench.spaces.nb201 import SPACE
from bench.truth import counts

SPLITS = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("ori-test", "x-valid", "x-test"),
    "ImageNet16-120": ("ori-test", "x-valid", "x-test"),
}
CURVES = {"cifar10-valid": "x-valid", "cifar10": "ori-test", "cifar100": "ori-test", "ImageNet16-120": "ori-test"}
"""The split that is evaluated after every epoch when the training has 200; the others after the last."""

SHAPES = {
    dataset: Shape(16, 5, classes, 3, 16 if dataset == "ImageNet16-120" else 32)
    for dataset, classes in (("cifar10-valid", 10), ("cifar10", 10), ("cifar100", 100), ("ImageNet16-120", 120))
}
SEEDS = {12: {"cifar10-valid": (111, 777)}, 200: {}}
ALL = {12: (111,), 200: (777, 888, 999)}

Written = dict[tuple[str, str, str, int, str], float]
"""Metric, data set, split, epochs, seed: what was written last."""


def results(index: int, package: Any, seeds: Sequence[int] = ALL[200]) -> tuple[dict[int, Any], Written]:
    """The ArchResults of one architecture by number of epochs, of nats_bench or nas_201_api, and what is in them.

    seeds: of the 200-epoch trainings on CIFAR-100; the others have all three.
    """
    rng, written = random.Random(index), Written()
    found = {}
    for epochs in (12, 200):
        trained = package.ArchResults(index, SPACE.show(SPACE.from_index(index)))
        for dataset in SPLITS:
            own = SEEDS[epochs].get(dataset, ALL[epochs])
            for seed in seeds if (dataset, epochs) == ("cifar100", 200) else own:
                trained.update(dataset, seed, _training(rng, trained.arch_str, dataset, epochs, seed, package, written))
        trained.clear_net_done = True
        found[epochs] = trained
    return found, written


def _training(
    rng: random.Random, arch: str, dataset: str, epochs: int, seed: int, package: Any, written: Written
) -> Any:
    genotype, shape = SPACE.parse(arch), SHAPES[dataset]
    flops = counts.multiply_adds(SPACE, genotype, shape) + shape.classes  # the official ones count the head's bias
    parameters = counts.parameters(SPACE, genotype, shape)
    config = {"channel": 16, "num_cells": 5, "arch_str": arch, "class_num": shape.classes}
    latency = [np.float64(rng.uniform(0.01, 0.03))]
    accuracies, losses, times = _curves(rng, epochs)
    sizes = np.float64(parameters / 1e6), flops / 1e6
    run = package.ResultsCount(dataset, None, accuracies, losses, *sizes, config, str(seed), epochs, latency)
    run.update_train_info(accuracies, None, losses, times)
    _write(written, (dataset, "train", epochs, str(seed)), accuracies, losses, sum(times.values()), "train_seconds")
    written["latency", dataset, "ori-test", epochs, str(seed)] = latency[0]
    for split in SPLITS[dataset]:
        accuracies, losses, _ = _curves(rng, epochs)
        if epochs == 200 and split != CURVES[dataset]:
            accuracies, losses = {199: accuracies[199]}, {199: losses[199]}
        run.update_OLD_eval(split, accuracies, losses)
        seconds = rng.uniform(0.5, 2)
        run.reset_pseudo_eval_times(split, seconds)
        _write(written, (dataset, split, epochs, str(seed)), accuracies, losses, seconds * epochs, "eval_seconds")
    return run


def _curves(rng: random.Random, epochs: int) -> tuple[dict[int, float], dict[int, float], dict[int, float]]:
    """Accuracies in percent, losses in nats, seconds, by epoch. Tenths are whole numbers of images on all splits."""
    one = [rng.randrange(100, 950) / 10 for _ in range(epochs)]
    two = [rng.uniform(0.1, 3) for _ in range(epochs)]
    return dict(enumerate(one)), dict(enumerate(two)), {epoch: rng.uniform(5, 40) for epoch in range(epochs)}


def _write(
    written: Written,
    where: tuple[str, str, int, str],
    accuracies: Mapping[int, float],
    losses: Mapping[int, float],
    seconds: float,
    metric: str,
) -> None:
    last = where[2] - 1
    written["accuracy", *where] = accuracies[last]
    written["cross_entropy", *where] = losses[last]
    written[metric, *where] = seconds


def nats_folder(folder: Path, architectures: Mapping[int, Mapping[int, Any]]) -> Path:
    """A folder as `nats_bench` opens it in fast mode."""
    folder.mkdir(parents=True)
    meta = {"meta_archs": archs(), "total_archs": SPACE.size, "arch2infos": None, "evaluated_indexes": set()}
    pickle_save(meta, str(folder / "meta.pickle"))
    for index, trained in architectures.items():
        pickle_save(_states(trained), str(folder / f"{index:06d}.pickle"))
    return folder


def nats_archive(path: Path, folder: Path) -> Path:
    """The archive of such a folder."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        archive.add(folder, "NATS-tss-v1_0-made-up-simple")
    return path


def nats_file(path: Path, architectures: Mapping[int, Mapping[int, Any]]) -> Path:
    """The single file of NATS-Bench, whose name ends in `.pickle.pbz2`."""
    content = {"meta_archs": archs(), "total_archs": SPACE.size, "evaluated_indexes": set(architectures)}
    content["arch2infos"] = {index: _states(trained) for index, trained in architectures.items()}
    pickle_save(content, str(path).removesuffix(".pbz2"))
    return path


def nb201_pth(path: Path, architectures: Mapping[int, Mapping[int, Any]], zipped: bool = True) -> Path:
    """The single file of NAS-Bench-201; zipped: as torch has written it since 1.6."""
    infos = {
        index: {"less": trained[12].state_dict(), "full": trained[200].state_dict()}
        for index, trained in architectures.items()
    }
    content = {"meta_archs": archs(), "arch2infos": infos, "evaluated_indexes": sorted(architectures)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def naslib_pickle(path: Path, accuracies: Mapping[int, float], dataset: str = "cifar10-valid") -> Path:
    """A file of NASLib: last validation accuracy (percent) by index; the rest of a curve is 1."""
    content = {}
    for index, accuracy in accuracies.items():
        genotype = SPACE.from_index(index)
        shape = SHAPES[dataset]
        curve = [1.0] * 199
        content[SPACE.show(genotype)] = {
            dataset: {
                "train_acc1es": [*curve, 99.0],
                "train_losses": [*curve, 0.25],
                "eval_acc1es": [*curve, accuracy],
                "eval_losses": [*curve, 0.5],
                "cost_info": {
                    "flops": (counts.multiply_adds(SPACE, genotype, shape) + shape.classes) / 1e6,
                    "params": counts.parameters(SPACE, genotype, shape) / 1e6,
                    "latency": 0.02,
                    "train_time": 12.5,
                },
            }
        }
    path.write_bytes(pickle.dumps(content, protocol=4))
    return path


def archs() -> list[str]:
    """All official strings by official index."""
    return [SPACE.show(SPACE.from_index(index)) for index in range(SPACE.size)]


def _states(trained: Mapping[int, Any]) -> dict[str, Any]:
    return {str(epochs): one.state_dict() for epochs, one in trained.items()}
