"""What costs nothing and what merely trains longer: sizes by hand, equal images, and the README's examples run."""

from __future__ import annotations

import csv
import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import methods
from bench.folders import data_folder
from bench.metrics import tau_b
from bench.search.learner import Training
from bench.search.task import Task
from bench.spaces.nb201 import SPACE as NB201
from bench.spaces.space import Sizes
from bench.spaces.toy import SPACE as TOY
from bench.store.spec import with_settings
from methods.fewshot import FewShot
from methods.free import Size
from methods.longer import longer
from methods.rsps import Rsps
from tests import tiny

RELEASED = data_folder() / "fewshot_supernet_nb201.csv.gz"
README = Path(__file__).parent.parent / "methods" / "README.md"


# Free estimates


def test_sizes_by_hand() -> None:
    """Of one channel, then two and four, at 32, 16 and 8 pixels: 3x3 counts 9, 1x1 counts 1, each 1 + 4 + 16 times; an
    edge from which no way leads to the output costs no multiply-add."""
    all_stages, pixels = 1 + 2**2 + 4**2, 32**2 + 2**2 * 16**2 + 4**2 * 8**2
    assert NB201.sizes((3, 2, 1, 0, 4, 3)) == Sizes(19 * all_stages, 19 * pixels)
    assert NB201.sizes((3, 3, 3, 1, 0, 0)) == Sizes(27 * all_stages, 0)  # the output is the input


@pytest.mark.parametrize("of", ["parameters", "multiply-adds"])
def test_free_estimates_cover_the_region_and_cost_nothing(of: Any) -> None:
    task = tiny.task()
    with task.meter.phase("search"):
        found = Size(of).search(task)
    assert found.genotype == (2, 2, 2)
    assert found.estimate is not None
    values = found.estimate([(2, 2, 2), (2, 0, 1), (2, 0, 0)], None)[:, 0]
    assert values == pytest.approx([1, 1 / 3, 1 / 3 if of == "parameters" else 0])  # the last leads nowhere
    assert task.meter.total().forward_images == 0
    task.region = TOY.region.narrowed(0, {0, 1})
    found = Size(of).search(task)
    assert found.genotype == (0 if of == "parameters" else 1, 2, 2)  # behind `none` nothing is computed
    assert found.estimate is not None
    assert np.isnan(found.estimate([(2, 0, 0)], None)[0, 0])


@pytest.mark.reproducibility
@pytest.mark.skipif(not RELEASED.exists(), reason=f"{RELEASED.name} is not in {RELEASED.parent}")
def test_the_parameter_count_ranks_cifar10_better_than_the_released_supernets() -> None:
    """tau-b 0.578 with CIFAR-10 test accuracy over all 15,625 cells, against 0.485 and 0.551."""
    with gzip.open(RELEASED, "rt") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == NB201.size
    truth = np.array([float(row["nb201_test_acc"]) for row in rows])
    found = Size().search(tiny.task(NB201))
    assert found.estimate is not None
    sizes = found.estimate([NB201.parse(row["arch"]) for row in rows], None)[:, 0]
    assert tau_b(sizes, truth) == pytest.approx(0.578, abs=0.001)
    for column, tau in (("oneshot_acc", 0.485), ("fewshot_acc", 0.551)):
        assert tau_b(np.array([float(row[column]) for row in rows]), truth) == pytest.approx(tau, abs=0.001)


# Longer


def test_longer_means_the_same_images() -> None:
    """A Few-Shot search of three sub-supernets and its base alone see as many training images, forward and back."""
    few = FewShot(base=Rsps(Training(batch=32), candidates=2), levels=(100,), final=50, inherit="weights")
    images = []
    for method in (few, longer(few, leaves=3)):
        task = tiny.task()  # 0.04: 4 epochs and three times 2
        with task.meter.phase("search"):
            method.search(task)
        images.append((task.meter.phases["weights"].forward_images, task.meter.phases["weights"].backward_images))
    assert images[0] == images[1] == ((4 + 3 * 2) * 3 * 32,) * 2


def test_longer_epochs_on_nas_bench_201() -> None:
    known = methods.variants()
    assert known["darts-2nd-longer"].training.epochs == 5 * 60
    assert known["rsps-longer"].training.epochs == 600 + 5 * 300
    assert methods.get("rsps-longer", "toy").training.epochs == 600 + 3 * 300  # it has three operations
    assert known["rsps-longer"].training.batch == known["fewshot-rsps"].base.training.batch == 48


# The README


def _blocks() -> list[dict[str, Any]]:
    found = []
    for text in re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL):
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(text, str(README), "exec", dont_inherit=True), names)
        found.append(names)
    return found


def test_the_composed_search_of_the_readme_runs() -> None:
    search = _blocks()[0]["search"]
    for space, leaves in ((TOY, 8), (NB201, 8)):
        found = search.search(tiny.task(space))
        assert len(found.candidates) == leaves
        depths = [node["depth"] for node in found.details["tree"]]
        assert [depths.count(d) for d in range(3)] == [1, 2, 8]


def test_the_new_part_of_the_readme_runs() -> None:
    search = with_settings(_blocks()[1]["VARIANTS"]["halves"], {"base.training.batch": "32"})
    task: Task = tiny.task(NB201)
    found = search.search(task)
    (cut,) = [node["cut"] for node in found.details["tree"] if node["cut"]]
    (split,) = cut["splits"].values()
    assert [len(g) for g in split["groups"]] == [2, 3]
    assert len(found.candidates) == 2


def test_the_readme_names_every_variant_and_file() -> None:
    text = README.read_text()
    for label in methods.variants():
        assert f"`{label}`" in text, label
    for path in (README.parent).glob("[a-z]*.py"):
        assert f"`{path.name}`" in text, path.name
