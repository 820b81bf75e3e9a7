"""Ranking metrics against brute force, hand-worked cases and published values."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from bench import metrics
from bench.folders import data_folder
from bench.spaces.nb201 import SPACE

NAN = math.nan
ESTIMATES: Path = data_folder() / "fewshot_supernet_nb201.csv.gz"

# Few distinct values, so that ties are the rule.
coarse = st.integers(0, 4).map(float)
ranked = st.lists(st.tuples(coarse, coarse), min_size=1, max_size=6)
with_gaps = st.lists(st.tuples(st.one_of(coarse, st.just(NAN)), st.one_of(coarse, st.just(NAN))), max_size=12)


def split(rows: list[tuple[float, float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    array = np.array(rows, dtype=np.float64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def orders(values: NDArray[np.float64]) -> list[list[int]]:
    """All descending orders of the places, every order of the tied among them."""
    places = range(len(values))
    return [
        list(o) for o in itertools.permutations(places) if all(values[a] >= values[b] for a, b in itertools.pairwise(o))
    ]


def counted_tau(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """tau-b by counting pairs."""
    concordant = tied_left = tied_right = total = 0
    for i, j in itertools.combinations(range(len(left)), 2):
        a, b = np.sign(left[i] - left[j]), np.sign(right[i] - right[j])
        concordant += int(a * b)
        tied_left += a == 0
        tied_right += b == 0
        total += 1
    below = (total - tied_left) * (total - tied_right)
    return concordant / math.sqrt(below) if below else NAN


def agree(found: float, expected: float) -> None:
    assert (math.isnan(found) and math.isnan(expected)) or found == pytest.approx(expected, abs=1e-12)


# --- correlations


@given(with_gaps)
def test_tau_b_counts_pairs_of_what_both_have(rows: list[tuple[float, float]]) -> None:
    estimate, truth = split(rows)
    both = [(e, t) for e, t in rows if not math.isnan(e) and not math.isnan(t)]
    agree(metrics.tau_b(estimate, truth), counted_tau(*split(both)))
    assert metrics.count(estimate, truth) == len(both)


def test_tau_b_by_hand() -> None:
    """Of the 6 pairs of 4 cells 4 agree, 1 disagrees and 1 is tied in the estimate: 3 / sqrt(5 * 6)."""
    assert metrics.tau_b([1, 2, 2, 4], [10, 30, 20, 15]) == pytest.approx((3 - 2) / math.sqrt(5 * 6))
    assert metrics.tau_b([1, 2, 3], [10, 20, 30]) == 1  # higher is better on both sides
    assert metrics.tau_b([3, 2, 1], [10, 20, 30]) == -1  # and the sign is kept
    assert metrics.tau_b([1, 2, NAN, 3], [10, 20, 0, 30]) == 1


@pytest.mark.parametrize(
    ("estimate", "truth"),
    [([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [1, 1, 1]), ([1], [1]), ([], []), ([NAN, 1, 2], [1, NAN, 3])],
)
def test_what_is_undefined_is_nan_without_a_warning(estimate: list[float], truth: list[float]) -> None:
    for metric in (metrics.tau_b, metrics.spearman):
        assert math.isnan(metric(estimate, truth))
    assert math.isnan(metrics.sparse_tau(estimate, truth, 1))
    assert math.isnan(metrics.tau_top(estimate, truth, 1))
    assert math.isnan(metrics.partial_tau(estimate, truth, truth))
    assert all(map(math.isnan, metrics.tau_interval(estimate, truth, np.random.default_rng(0), resamples=3)))


def test_nothing_in_common_has_no_top() -> None:
    assert math.isnan(metrics.precision_at([NAN, 1], [1, NAN], 0.5))
    assert math.isnan(metrics.best_rank_at([NAN, 1], [1, NAN], 1))
    assert math.isnan(metrics.top_regret([NAN, 1], [1, NAN]))
    assert math.isnan(metrics.coverage([1.0], [NAN]))
    assert math.isnan(metrics.share_tied([NAN]))
    assert math.isnan(metrics.regret(1.0, [NAN]))


def test_spearman_is_pearson_of_mean_ranks() -> None:
    rng = np.random.default_rng(0)
    estimate, truth = rng.integers(0, 9, (2, 50)).astype(float)
    expected = np.corrcoef(stats.rankdata(estimate), stats.rankdata(truth))[0, 1]
    assert metrics.spearman(estimate, truth) == pytest.approx(expected)


def test_sparse_tau_forgets_small_differences() -> None:
    truth = [90.04, 90.01, 93.0]  # the first two are in the wrong order by 0.03 points
    assert metrics.tau_b([1, 2, 3], truth) == pytest.approx(1 / 3)
    assert metrics.sparse_tau([1, 2, 3], truth, 0.1) == pytest.approx(2 / math.sqrt(3 * 2))


def test_tau_top_takes_all_that_tie_with_the_last() -> None:
    truth = [10, 20, 30, 30, 40, 50]  # the top half is 3 of 6, and a fourth ties with the third
    estimate = [9, 9, 1, 2, 4, 3]
    expected = counted_tau(np.array([1, 2, 4, 3.0]), np.array([30, 30, 40, 50.0]))
    assert metrics.tau_top(estimate, truth, 0.5) == pytest.approx(expected)
    assert metrics.tau_top(estimate, truth, 1) == metrics.tau_b(estimate, truth)


def test_spearman_top_is_spearman_of_the_top() -> None:
    truth, estimate = [10, 20, 30, 30, 40, 50], [9, 9, 1, 2, 4, 3]
    assert metrics.spearman_top(estimate, truth, 0.5) == pytest.approx(
        stats.spearmanr([1, 2, 4, 3], [30, 30, 40, 50]).statistic
    )
    assert metrics.spearman_top(estimate, truth, 1) == metrics.spearman(estimate, truth)
    assert math.isnan(metrics.spearman_top(estimate, truth, 0.1))  # one cell has no order


def test_equal_cells_count_once() -> None:
    """Classes {0: rows 0 and 3, 1: row 1, 2: rows 2 and 4}; by hand estimates 2, 5, 4 and truths 20, 30, 40."""
    classes, estimate, truth = [0, 1, 2, 0, 2], [1.0, 5, 3, 3, 5], [10.0, 30, 40, 30, 40]
    left, right = metrics.unique(classes, estimate, truth)
    assert (left.tolist(), right.tolist()) == ([2, 5, 4], [20, 30, 40])
    assert metrics.tau_unique(estimate, truth, classes) == pytest.approx(1 / 3)
    assert metrics.tau_unique([*estimate, NAN], [*truth, 99], [*classes, 7]) == pytest.approx(1 / 3)
    assert math.isnan(metrics.tau_unique([], [], []))
    assert metrics.tau_unique(estimate, truth, range(5)) == metrics.tau_b(estimate, truth)


def test_partial_tau_removes_what_a_third_explains() -> None:
    rng = np.random.default_rng(1)
    parameters = rng.normal(size=400)
    truth = parameters + rng.normal(size=400)
    only_size = parameters + 0.5 * rng.normal(size=400)
    assert metrics.tau_b(only_size, truth) > 0.35
    assert abs(metrics.partial_tau(only_size, truth, parameters)) < 0.15
    assert metrics.partial_tau(truth, truth, parameters) == pytest.approx(1)
    # By hand, of 6 pairs 5 agree, 4 agree and 5 agree: (2/3 - 1/3 * 2/3) / sqrt((1 - 1/9) * (1 - 4/9)).
    estimate, known, third = [1, 2, 3, 4], [1, 2, 4, 3], [2, 1, 4, 3]
    assert metrics.partial_tau(estimate, known, third) == pytest.approx(4 / math.sqrt(40))
    assert math.isnan(metrics.partial_tau(estimate, known, estimate))  # nothing is left to explain


@given(ranked, st.randoms(use_true_random=False))
def test_no_metric_depends_on_the_order_of_the_rows(rows: list[tuple[float, float]], random: Any) -> None:
    shuffled = random.sample(rows, len(rows))
    one, other = split(rows), split(shuffled)
    agree(metrics.tau_b(*one), metrics.tau_b(*other))
    agree(metrics.tau_top(*one, 0.5), metrics.tau_top(*other, 0.5))
    agree(metrics.precision_at(*one, 0.5), metrics.precision_at(*other, 0.5))
    agree(metrics.best_rank_at(*one, 2), metrics.best_rank_at(*other, 2))
    agree(metrics.top_regret(*one), metrics.top_regret(*other))


# --- the top


@given(ranked, st.floats(0.05, 1), st.floats(0.05, 1))
def test_top_recall_is_the_mean_over_all_orders_of_the_tied(
    rows: list[tuple[float, float]], top: float, within: float
) -> None:
    estimate, truth = split(rows)
    wanted, found = (max(1, round(share * len(rows))) for share in (top, within))
    pairs = itertools.product(orders(estimate), orders(truth))
    shares = [len(set(e[:found]) & set(t[:wanted])) / wanted for e, t in pairs]
    agree(metrics.top_recall(estimate, truth, top, within), float(np.mean(shares)))


@given(ranked, st.integers(1, 8))
def test_best_rank_and_regret_are_means_over_all_orders_of_the_tied(rows: list[tuple[float, float]], k: int) -> None:
    estimate, truth = split(rows)
    ranks = [1 + sum(other > mine for other in truth) for mine in truth]
    best = [min(ranks[place] for place in order[:k]) for order in orders(estimate)]
    agree(metrics.best_rank_at(estimate, truth, k), float(np.mean(best)))
    lost = [truth.max() - max(truth[place] for place in order[:k]) for order in orders(estimate)]
    agree(metrics.top_regret(estimate, truth, k), float(np.mean(lost)))


def test_the_top_by_hand() -> None:
    estimate = [0.9, 0.8, 0.7, 0.6, 0.5]
    truth = [91.0, 70.0, 94.0, 93.0, 92.0]
    assert metrics.precision_at(estimate, truth, 0.4) == 0  # {91, 70} against {94, 93}
    assert metrics.precision_at(estimate, truth, 0.6) == pytest.approx(1 / 3)
    assert metrics.top_recall(estimate, truth, top=0.2, within=0.6) == 1  # 94 is among the first three
    assert [metrics.best_rank_at(estimate, truth, k) for k in (1, 2, 3)] == [4, 4, 1]
    assert metrics.top_regret(estimate, truth) == pytest.approx(3.0)
    assert metrics.top_regret(estimate, truth, 3) == 0


def test_a_constant_estimate_is_worth_what_chance_is() -> None:
    truth = np.arange(100.0)
    constant = np.zeros(100)
    assert metrics.precision_at(constant, truth, 0.1) == pytest.approx(0.1)
    assert metrics.best_rank_at(constant, truth, 1) == pytest.approx(50.5)
    assert metrics.top_regret(constant, truth) == pytest.approx(49.5)


def test_ranks_and_regret_are_within_all_that_is_known() -> None:
    """A method without an opinion on the best cells is not spared them."""
    truth = [95.0, 94.0, 90.0, 89.0, NAN]
    estimate = [NAN, NAN, 2.0, 1.0, 3.0]
    assert metrics.best_rank_at(estimate, truth, 1) == 3
    assert metrics.top_regret(estimate, truth) == 5
    assert metrics.coverage(estimate, truth) == 0.5


@pytest.mark.parametrize("share", [0, -0.1, 1.1, 10])
def test_a_share_is_a_share(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        metrics.precision_at([1, 2], [1, 2], share)


def test_a_top_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="top k"):
        metrics.best_rank_at([1, 2], [1, 2], 0)


# --- single values


def test_ranks_share_the_best_place() -> None:
    truth = [90, 94, 94, 80, NAN]
    assert [metrics.rank_of(value, truth) for value in (94, 90, 80)] == [1, 3, 4]
    with pytest.raises(ValueError, match="NaN"):
        metrics.rank_of(NAN, truth)


def test_regret_is_points_below_the_best() -> None:
    assert metrics.regret(92.5, [90, 94, NAN]) == 1.5


def test_what_a_choice_is_worth_beside_a_random_one() -> None:
    truth = [60, 80, 100, NAN]  # mean 80, best 100
    assert metrics.relative_improvement(88, truth) == pytest.approx(10)
    assert metrics.relative_improvement(60, truth) == pytest.approx(-25)
    assert [metrics.range_used(value, truth) for value in (80, 95, 100)] == [0, 0.75, 1]
    assert math.isnan(metrics.range_used(80, [80, 80]))
    assert math.isnan(metrics.relative_improvement(80, [NAN]))


def test_share_tied_counts_all_that_have_an_equal() -> None:
    assert metrics.share_tied([1, 1, 2, 3, 3, 3, NAN]) == pytest.approx(5 / 6)
    assert metrics.share_tied([1, 2, 3]) == 0


@given(st.lists(st.integers(0, 100), min_size=1, max_size=8), st.integers(1, 9))
def test_best_of_n_is_the_mean_over_all_draws(truth: list[int], n: int) -> None:
    found = metrics.random_best_of_n([*truth, NAN], n)
    if n > len(truth):
        assert math.isnan(found)
    else:
        agree(found, float(np.mean([max(draw) for draw in itertools.combinations(truth, n)])))


def test_best_of_n_is_exact_for_a_large_space() -> None:
    """The expected largest of n out of 1..N is n (N + 1) / (n + 1)."""
    for n in (1, 2, 64, 15_624, 15_625):
        assert metrics.random_best_of_n(np.arange(1, 15_626), n) == pytest.approx(n * 15_626 / (n + 1), rel=1e-10)


# --- the bootstrap


def test_the_interval_is_the_quantiles_of_resampled_taus() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(size=60)
    estimate = truth + rng.normal(size=60)
    estimate[7] = NAN
    found = metrics.tau_interval(estimate, truth, np.random.default_rng(5), level=0.9, resamples=40)
    left, right = np.delete(estimate, 7), np.delete(truth, 7)
    again = np.random.default_rng(5)
    taus = []
    for _ in range(40):
        rows = again.integers(59, size=59)
        taus.append(stats.kendalltau(left[rows], right[rows]).statistic)
    assert found == pytest.approx((np.quantile(taus, 0.05), np.quantile(taus, 0.95)))


def test_the_interval_covers_as_often_as_it_says() -> None:
    """tau of a bivariate normal sample is 2/pi asin(rho) (Kendall & Gibbons)."""
    rng = np.random.default_rng(7)
    true_tau, rho, hits = 0.5, math.sin(math.pi / 4), 0
    for _ in range(120):
        truth = rng.normal(size=80)
        estimate = rho * truth + math.sqrt(1 - rho**2) * rng.normal(size=80)
        low, high = metrics.tau_interval(estimate, truth, rng, level=0.8, resamples=80)
        hits += low <= true_tau <= high
    assert 0.68 <= hits / 120 <= 0.92  # 80 % within about three standard errors


@given(with_gaps)
def test_pairs_keeps_order_and_finite_places(rows: list[tuple[float, float]]) -> None:
    assume(rows)
    estimate, truth = split(rows)
    kept = list(zip(*metrics.pairs(estimate, truth), strict=True))
    assert kept == [(e, t) for e, t in rows if math.isfinite(e) and math.isfinite(t)]


# --- released numbers


@pytest.fixture(scope="module")
def released() -> pd.DataFrame:
    """The Few-Shot NAS authors' estimates and their truth, rows in the order of `Space.position`."""
    if not ESTIMATES.exists():
        pytest.skip(f"needs {ESTIMATES} (set SUPERNET_BENCH_DATA)")
    frame = pd.read_csv(ESTIMATES)
    frame.index = pd.Index([SPACE.population.row(SPACE.parse(arch)) for arch in frame["arch"]])
    return frame.sort_index()


MODELS = ("oneshot_acc", "fewshot_acc")


def column(released: pd.DataFrame, name: str) -> NDArray[np.float64]:
    return released[name].to_numpy(dtype=np.float64)


def untied(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of the same order in which ties go to the earlier row, as the reference numbers were computed."""
    return -stats.rankdata(-values, method="ordinal").astype(np.float64)


@pytest.mark.reproducibility
@pytest.mark.parametrize(
    ("model", "tau", "sparse", "tops", "without_failed"),
    [
        (MODELS[0], 0.4849, (0.488, 0.499, 0.510), (-0.05, -0.19, -0.23, -0.23, -0.03), 0.466),
        (MODELS[1], 0.5508, (0.554, 0.566, 0.577), (0.16, 0.01, -0.08, -0.13, 0.00), 0.533),
    ],
)
def test_correlations_of_the_released_estimates(
    released: pd.DataFrame,
    model: str,
    tau: float,
    sparse: tuple[float, ...],
    tops: tuple[float, ...],
    without_failed: float,
) -> None:
    estimate, truth = column(released, model), column(released, "nb201_test_acc")
    assert metrics.count(estimate, truth) == 15_625
    assert metrics.tau_b(estimate, truth) == pytest.approx(tau, abs=5e-5)
    found = [metrics.sparse_tau(estimate, truth, step) for step in (0.1, 0.5, 1)]
    assert found == pytest.approx(list(sparse), abs=5.1e-4)
    found = [metrics.tau_top(estimate, truth, share) for share in (0.5, 0.2, 0.1, 0.05, 0.01)]
    assert found == pytest.approx(list(tops), abs=5.1e-3)
    failed = truth <= 10
    assert failed.sum() == 341
    assert metrics.tau_b(np.where(failed, NAN, estimate), truth) == pytest.approx(without_failed, abs=5.1e-4)


@pytest.mark.reproducibility
@pytest.mark.parametrize(("model", "first", "mean"), [(MODELS[0], 0.455, 0.457), (MODELS[1], 0.494, 0.500)])
def test_tau_with_equal_cells_counted_once(released: pd.DataFrame, model: str, first: float, mean: float) -> None:
    """The reference numbers merge the 6,466 published strings."""
    estimate, truth = column(released, model), column(released, "nb201_test_acc")
    groups = SPACE.classes(SPACE.published_class)
    classes = np.empty(len(truth), dtype=np.int64)
    for number, members in enumerate(groups.values()):
        classes[[SPACE.population.row(member) for member in members]] = number
    assert len(groups) == 6_466
    assert metrics.tau_unique(estimate, truth, classes) == pytest.approx(mean, abs=5.1e-4)
    firsts = [SPACE.population.row(members[0]) for members in groups.values()]
    assert metrics.tau_b(estimate[firsts], truth[firsts]) == pytest.approx(first, abs=5.1e-3)


@pytest.mark.reproducibility
@pytest.mark.parametrize(
    ("model", "precision", "first", "best_ranks", "tied"),
    [
        (MODELS[0], (0.000, 0.014, 0.102), (90.90, 7590), (6344, 1644), 0.90),
        (MODELS[1], (0.006, 0.128, 0.287), (92.70, 2089), (719, 139), 0.89),
    ],
)
def test_the_top_of_the_released_estimates(
    released: pd.DataFrame,
    model: str,
    precision: tuple[float, ...],
    first: tuple[float, int],
    best_ranks: tuple[int, int],
    tied: float,
) -> None:
    """The reference numbers break ties by row; ours are expectations, and near them."""
    estimate, truth = column(released, model), column(released, "nb201_test_acc")
    shares = (0.01, 0.05, 0.1)
    by_row = [metrics.precision_at(untied(estimate), untied(truth), share) for share in shares]
    assert by_row == pytest.approx(list(precision), abs=5.1e-4)
    assert [metrics.precision_at(estimate, truth, s) for s in shares] == pytest.approx(list(precision), abs=1.5e-3)
    assert [metrics.best_rank_at(untied(estimate), truth, k) for k in (10, 100)] == list(best_ranks)
    chosen = float(truth[estimate.argmax()])
    assert (chosen, metrics.rank_of(chosen, truth)) == first
    assert metrics.best_rank_at(untied(estimate), truth, 1) == first[1]
    assert metrics.top_regret(untied(estimate), truth) == pytest.approx(94.37 - first[0])
    ranks = [metrics.rank_of(value, truth) for value in truth[estimate == estimate.max()]]
    assert metrics.best_rank_at(estimate, truth, 1) == pytest.approx(np.mean(ranks))
    assert metrics.share_tied(estimate) == pytest.approx(tied, abs=5.1e-3)


@pytest.mark.reproducibility
@pytest.mark.parametrize(
    ("model", "taus"), [(MODELS[0], (0.53, 0.54, 0.35, 0.18, 0.64)), (MODELS[1], (0.72, 0.48, 0.48, 0.39, 0.46))]
)
def test_tau_in_the_parts_of_the_first_edge(released: pd.DataFrame, model: str, taus: tuple[float, ...]) -> None:
    """The parts are none, skip, 1x1, 3x3, pool: consecutive fifths of the rows. The last reference number was
    rounded twice (0.4545, 0.455, 0.46)."""
    parts = zip(column(released, model).reshape(5, -1), column(released, "nb201_test_acc").reshape(5, -1), strict=True)
    assert [metrics.tau_b(estimate, truth) for estimate, truth in parts] == pytest.approx(list(taus), abs=5.6e-3)


@pytest.mark.reproducibility
def test_random_best_of_n_on_the_released_truth(released: pd.DataFrame) -> None:
    """The reference numbers are simulated: 12.9 points of spread leave them 0.13 off for n = 1."""
    sizes = (1, 2, 4, 5, 8, 16, 25, 64, 125)
    simulated = [86.93, 91.23, 92.44, 92.64, 92.97, 93.31, 93.48, 93.75, 93.89]
    found = [metrics.random_best_of_n(column(released, "nb201_test_acc"), n) for n in sizes]
    assert found[:1] == pytest.approx(simulated[:1], abs=0.2)
    assert found[1:3] == pytest.approx(simulated[1:3], abs=0.03)
    assert found[3:] == pytest.approx(simulated[3:], abs=0.006)


@pytest.mark.reproducibility
@pytest.mark.parametrize(("model", "printed", "right"), [(MODELS[0], 0.4865, 0.4849), (MODELS[1], 0.5508, 0.5508)])
def test_the_authors_script_ranks_estimates_with_themselves(
    released: pd.DataFrame, model: str, printed: float, right: float
) -> None:
    """Their `rank.py` compares the sorted estimates with the estimates in the order of the truth: true values and
    ties do not enter."""
    estimate, truth = column(released, model), column(released, "nb201_test_acc")
    in_order = estimate[np.argsort(-truth, kind="stable")]
    assert stats.kendalltau(np.sort(estimate)[::-1], in_order).statistic == pytest.approx(printed, abs=5e-5)
    assert metrics.tau_b(estimate, truth) == pytest.approx(right, abs=5e-5)


@pytest.mark.reproducibility
def test_few_sampled_cells_can_get_the_order_wrong(released: pd.DataFrame) -> None:
    """95 % range of tau from 100 cells: 0.38–0.59 and 0.45–0.64; few-shot wins in 86, 93, 99 % of draws of 50, 100
    and 200."""
    truth = column(released, "nb201_test_acc")
    estimates = [column(released, model) for model in MODELS]
    rng, wins = np.random.default_rng(0), []
    for size in (50, 100, 200):
        drawn = [rng.choice(len(truth), size, replace=False) for _ in range(1000)]
        taus = np.array([[metrics.tau_b(estimate[rows], truth[rows]) for estimate in estimates] for rows in drawn])
        wins.append(float((taus[:, 1] > taus[:, 0]).mean()))
        if size == 100:
            ranges = np.quantile(taus, [0.025, 0.975], axis=0).T
    assert ranges == pytest.approx(np.array([[0.38, 0.59], [0.45, 0.64]]), abs=0.02)
    assert wins == pytest.approx([0.86, 0.93, 0.99], abs=0.03)


@pytest.mark.reproducibility
def test_equal_cells_differ_by_the_noise_of_the_truth(released: pd.DataFrame) -> None:
    """1,345 groups of isomorphic cells that learned anything: median standard deviation 0.16, median range 0.33."""
    truth = pd.Series(column(released, "nb201_test_acc"), released.index)
    groups = truth.groupby([SPACE.published_class(SPACE.population.at(position)) for position in truth.index])
    assert groups.ngroups == 6466
    several = [group for _, group in groups if len(group) > 1 and group.mean() > 10.5]
    assert len(several) == 1345
    assert np.median([group.std() for group in several]) == pytest.approx(0.16, abs=0.005)
    assert np.median([group.max() - group.min() for group in several]) == pytest.approx(0.33, abs=0.005)
