"""The measures by hand and by simulation; the pilot from training to report."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from bench.errors import BadSpec, UnknownName
from bench.metrics import tau_b
from bench.spaces import macro, nb201, toy_darts
from bench.truth import pilot
from bench.truth.pilot import Arguments, Sample, describe, read_official, report
from bench.truth.plan import Plan, class_order
from bench.truth.recipe import Recipe
from bench.truth.reliability import (
    disjoint,
    expected_of_unequal,
    expected_tau,
    optimism,
    split_tau,
    tied_pairs,
    top_tau,
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def brute_tau(left: np.ndarray, right: np.ndarray) -> float:
    """Without ties: (concordant - discordant) / pairs."""
    signs = [
        np.sign((left[i] - left[j]) * (right[i] - right[j])) for i, j in itertools.combinations(range(len(left)), 2)
    ]
    return float(np.mean(signs))


@pytest.mark.parametrize(("seeds", "size"), [(2, 1), (4, 2), (5, 2), (6, 3), (6, 1)])
def test_disjoint_sets(seeds: int, size: int) -> None:
    found = list(disjoint(seeds, size))
    assert all(len(a) == len(b) == size and not set(a) & set(b) for a, b in found)
    assert len({frozenset(pair) for pair in found}) == len(found)
    ways = math.comb(seeds, size) * math.comb(seeds - size, size) // 2
    assert len(found) == ways


def test_split_tau_by_hand() -> None:
    scores = np.random.default_rng(0).normal(size=(7, 4))
    pairs = ((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))
    expected = np.mean([brute_tau(scores[:, a].mean(1), scores[:, b].mean(1)) for a, b in pairs])
    assert split_tau(scores, 2) == pytest.approx(expected)


def test_expected_tau_is_what_more_seeds_bring() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(3_000, 1)) + rng.normal(size=(3_000, 8))  # reliability of one seed: 1/2
    assert split_tau(scores, 1) == pytest.approx(2 / math.pi * math.asin(1 / 2), abs=0.02)
    for seeds in (1, 2, 4):
        assert expected_tau(scores, seeds) == pytest.approx(split_tau(scores[:, : 2 * seeds], seeds), abs=0.02)
    assert expected_tau(scores, 8) == pytest.approx(2 / math.pi * math.asin(8 / 9), abs=0.02)


def test_expected_tau_of_noise() -> None:
    assert expected_tau(np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]]), 4) == 0.0
    assert math.isnan(expected_tau(np.array([[1.0, 3.0]]), 4))


def test_tied_pairs_by_hand() -> None:
    scores = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0], [2.0, 3.0]])
    assert tied_pairs(scores) == pytest.approx((3 / 6 + 1 / 6) / 2)


def test_the_top_is_judged_by_a_seed_that_is_not_measured() -> None:
    """By hand: seed 0 chooses rows 2 and 3, where the others agree; seed 1 rows 1 and 3, where they do not; seed 2
    rows 1 and 2, where they do not."""
    scores = np.array([[0.0, 0.0, 0.0], [1.0, 3.0, 3.0], [2.0, 1.0, 2.0], [3.0, 2.0, 1.0]])
    taus = [
        tau_b(scores[rows][:, a], scores[rows][:, b]) for rows, a, b in (([2, 3], 1, 2), ([1, 3], 0, 2), ([1, 2], 0, 1))
    ]
    assert top_tau(scores, 0.5) == pytest.approx(np.mean(taus))
    assert top_tau(scores, 1) == split_tau(scores, 1)
    assert math.isnan(top_tau(scores[:, :2], 0.5))


def test_equal_seeds_are_expected_as_before() -> None:
    rng = np.random.default_rng(6)
    scores = rng.normal(size=(2_000, 1)) + rng.normal(size=(2_000, 3))
    for share in (1.0, 0.5, 0.1):
        assert expected_of_unequal(scores, share) == pytest.approx(expected_tau(scores, 3, share), abs=0.01)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_unequal_seeds_are_expected_as_two_such_tables_agree(share: float) -> None:
    """Half of the cells have five seeds, the others three: between two independent tables of the same cells."""
    rng = np.random.default_rng(7)
    cells, more = rng.normal(size=(4_000, 1)), np.arange(4_000) % 2 == 0

    def table() -> NDArray[np.float64]:
        made = cells + rng.normal(size=(4_000, 5))
        made[~more, 3:] = np.nan
        return made

    one, other = table(), table()
    judge = (cells + rng.normal(size=(4_000, 1)))[:, 0]
    rows = judge >= np.quantile(judge, 1 - share)
    real = tau_b(np.nanmean(one[rows], 1), np.nanmean(other[rows], 1))
    found = expected_of_unequal(one, share)
    assert real - 0.05 < found < real + 0.02  # a lower bound, but for chance
    assert found > expected_of_unequal(one[:, :3], share)


def test_a_cell_with_a_single_seed_leaves_nothing_to_expect() -> None:
    assert math.isnan(expected_of_unequal(np.array([[1.0, np.nan], [2.0, 3.0]])))


def test_choosing_by_the_mean_would_make_seeds_disagree_and_a_held_out_one_does_not() -> None:
    """Equal cells differ by luck alone: among the best by the mean seeds are opposed, among those of another not."""
    scores = np.random.default_rng(4).normal(size=(20_000, 3))
    best = scores.mean(1) >= np.quantile(scores.mean(1), 0.9)
    assert split_tau(scores[best], 1) < -0.2
    assert top_tau(scores, 0.1) == pytest.approx(0, abs=0.03)


def test_the_best_of_noisy_means_is_too_good() -> None:
    """10,000 equal cells of deviation 1: the best mean of two seeds lies near 3.85 / sqrt(2) above them."""
    scores = np.random.default_rng(5).normal(size=(10_000, 3))
    assert optimism(scores) == pytest.approx(3.85 / math.sqrt(2), abs=1.3)
    assert optimism(np.repeat(scores[:, :1], 3, axis=1)) == 0


def test_report_compares_with_the_official_numbers() -> None:
    genotypes = [nb201.SPACE.population.at(position) for position in (7, 800, 9_000, 15_000)]
    official = {"CIFAR-10": dict(zip(genotypes, (90.0, 91.0, 92.0, 93.0), strict=True))}
    scores = np.array([[50.0, 51.0], [60.0, 61.0], [80.0, 79.0], [70.0, 69.0]])
    table = report({"x": Sample(genotypes, {"accuracy": scores}, 1.5)}, official, nb201.SPACE)
    column = table["x accuracy"]
    assert column["tau with CIFAR-10"] == pytest.approx((5 - 1) / 6)
    assert column["CPU seconds per cell and seed"] == 1.5
    assert column["quantile 50%"] == pytest.approx((60.5 + 69.5) / 2)
    assert column["tau 1 vs 1 seeds, all"] == pytest.approx(1.0)
    counts = np.array([1, 3, 2, 4])
    with_counts = describe(scores, counts, {"CIFAR-10": np.array([90.0, 91.0, 92.0, 93.0])})
    xy, xz, yz = 4 / 6, brute_tau(scores.mean(1), counts), brute_tau(np.arange(4), counts)
    expected = (xy - xz * yz) / math.sqrt((1 - xz**2) * (1 - yz**2))
    assert with_counts["tau with parameters"] == pytest.approx(xz)
    assert with_counts["partial tau with CIFAR-10 given parameters"] == pytest.approx(expected)


def test_pilot_resumes_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = get_context("forkserver")
    context.set_forkserver_preload(["bench.truth.workers"])
    recipe = Recipe(channels=4, cells=1, images=64, batch=32, learning_rate=0.05)
    monkeypatch.setattr(pilot, "CONFIGS", {"tiny": recipe})
    monkeypatch.setattr(pilot, "official_extract", lambda space: None)
    monkeypatch.setattr(pilot, "Plan", partial(Plan, train_images=64, valid_images=32, test_images=48))
    arguments = Arguments(config=("tiny",), cells=10, seeds=2, skip=10, out=tmp_path)
    assert pilot.main(arguments, context) == 0
    shard = tmp_path / "shards" / "tiny-2" / "0001.parquet"
    assert pd.read_parquet(shard).position.unique().tolist() == class_order(nb201.SPACE)[10:20]
    before = shard.stat().st_mtime_ns
    table = pd.read_csv(tmp_path / "report-10-20-2.csv", index_col="measure")
    assert table.loc["cells", "tiny accuracy"] == 10
    assert table.loc["CPU seconds per cell and seed", "tiny accuracy"] > 0
    markdown = (tmp_path / "report-10-20-2.md").read_text()
    assert pilot.main(arguments, context) == 0
    assert shard.stat().st_mtime_ns == before
    assert (tmp_path / "report-10-20-2.md").read_text() == markdown


def test_pilot_refuses(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"unknown configuration 'n1-24k-b65'; did you mean 'n1-24k-b64'"):
        pilot.main(Arguments(config=("n1-24k-b65",), out=tmp_path))
    with pytest.raises(BadSpec, match="multiples of 10"):
        pilot.main(Arguments(config=("n1-24k-b64",), cells=15, out=tmp_path))
    with pytest.raises(BadSpec, match="two seeds"):
        pilot.main(Arguments(config=("n1-24k-b64",), seeds=1, out=tmp_path))


def test_official_extract_is_read() -> None:
    path = pilot.official_extract(nb201.SPACE)
    if path is None:
        pytest.skip("nb201.csv.gz is absent; set SUPERNET_BENCH_DATA")
    found = read_official(path, nb201.SPACE)
    assert {name: max(known.values()) for name, known in found.items()} == pytest.approx(
        {"CIFAR-10": 94.3733, "CIFAR-100": 73.5133, "ImageNet16-120": 47.3111}, abs=1e-4
    )


def test_accuracies_of_macro_are_means_of_three_trainings() -> None:
    path = pilot.official_extract(macro.SPACE)
    if path is None:
        pytest.skip("nas_bench_macro_cifar10.csv.gz is absent; set SUPERNET_BENCH_DATA")
    found = read_official(path, macro.SPACE)
    assert found.keys() == {"CIFAR-10"}
    assert len(found["CIFAR-10"]) == macro.SPACE.size
    assert max(found["CIFAR-10"].values()) == pytest.approx(93.13, abs=5e-3)


def test_a_space_without_released_accuracies_has_no_extract() -> None:
    assert pilot.official_extract(toy_darts.SPACE) is None
