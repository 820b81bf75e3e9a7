"""Intervals and comparisons against brute force, closed forms and hand-worked cases."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kendalltau

from analysis import caption, stats
from bench import metrics


def test_the_interquartile_mean_drops_a_quarter_at_either_end() -> None:
    two = [{0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0}, {0: 5.0, 1: 6.0, 2: 7.0, 3: 100.0}]
    assert stats.by_run(two).mean == pytest.approx((3 + 4 + 5 + 6) / 4)  # of 8 two fall at either end
    assert stats.by_run(two, of="mean").mean == pytest.approx(128 / 8)


def test_runs_are_resampled_with_all_their_strata() -> None:
    """Of 27 resamples of three runs one is the lowest run thrice and one the highest: more than the 2.5 % beyond
    either end, so that the interval reaches from one to the other."""
    strata = [{4: 1.0, 5: 2.0, 6: 6.0}, {4: 50.0, 5: 51.0, 6: 58.0, 9: 7.0}]  # run 9 is not in both
    found = stats.by_run(strata, of="mean")
    assert found == stats.Mean(pytest.approx(28), 25.5, 32.0, 3)
    apart = [{4: 6.0, 5: 2.0, 6: 1.0}, strata[1]]  # the same values, but of other runs: they make up for each other
    assert stats.by_run(apart, of="mean") == stats.Mean(pytest.approx(28), 26.5, 29.5, 3)


def test_too_few_runs_have_no_interval() -> None:
    assert stats.by_run([{0: 1.0, 1: 2.0, 2: 3.0}, {0: 4.0, 1: 5.0}]) == stats.Mean(3.0, None, None, 2)
    assert stats.by_run([{}, {}]) == stats.by_run([]) == stats.Mean(None, None, None, 0)
    assert stats.paired({0: 1.0, 1: 2.0}, {0: 0.0, 1: 0.0}) == stats.Paired(stats.Mean(1.5, None, None, 2), None)
    assert stats.paired({0: 1.0}, {1: 0.0}).difference.mean is None
    assert stats.probability_of_improvement([([2.0, 3.0], [1.0, 1.0, 1.0])]) == stats.Mean(1.0, None, None, 2)
    assert stats.probability_of_improvement([]) == stats.Mean(None, None, None, 0)


def test_pairs_are_of_the_seeds_that_both_have() -> None:
    """Differences 1, 2, 3: mean 2, standard error 1 / sqrt 3, t of two degrees of freedom 4.302653."""
    found = stats.paired({0: 2, 1: 4, 2: 6, 3: None, 4: 9}, {0: 1, 1: 2, 2: 3, 3: 5, 7: 0})
    wide = 4.302653 / math.sqrt(3)
    assert (found.difference.mean, found.difference.n) == (2, 3)
    assert (found.difference.low, found.difference.high) == pytest.approx((2 - wide, 2 + wide), abs=1e-5)
    assert found.p == pytest.approx(0.25)  # 2 of the 8 flips of signs are as far from 0
    assert found.verdict == "undecided"


def test_the_sign_flip_test_counts_all_flips() -> None:
    differences = [0.3, -0.1, 0.7, 0.2, 0.5]
    flips = [
        np.mean([s * d for s, d in zip(signs, differences, strict=True)])
        for signs in itertools.product((1, -1), repeat=5)
    ]
    expected = np.mean([abs(f) >= np.mean(differences) - 1e-12 for f in flips])
    found = stats.paired(dict(enumerate(differences)), dict.fromkeys(range(5), 0.0))
    assert found.p == pytest.approx(expected)


def test_verdicts() -> None:
    zero = dict.fromkeys(range(5), 0.0)
    clear = dict(enumerate((1.0, 1.1, 0.9, 1.0, 1.2)))
    assert stats.paired(clear, zero).verdict == "for"
    assert stats.paired(zero, clear).verdict == "against"
    assert stats.paired(zero, zero).verdict == "undecided"
    copies = stats.paired(dict.fromkeys(range(3), 1.0), zero)
    assert (copies.verdict, copies.p, copies.difference) == ("undecided", None, stats.Mean(1.0, None, None, 3))


def test_the_sign_flip_test_is_exact_where_it_says_so() -> None:
    """Of 2 ** n flips only the two that give all differences one sign are as extreme."""
    rng = np.random.default_rng(2)
    for n in (3, 8, 15):
        found = stats.paired(dict(enumerate(rng.uniform(1, 2, n))), dict.fromkeys(range(n), 0.0))
        assert found.p == pytest.approx(2.0 ** (1 - n))


@pytest.mark.parametrize(("n", "share"), [(3, 0.75), (5, 0.84)])
def test_captions_say_how_narrow_intervals_of_few_seeds_are(n: int, share: float) -> None:
    drawn = np.random.default_rng(n).normal(size=(4_000, n))
    held = [mean.low <= 0 <= mean.high for mean in map(stats.mean_of, drawn)]  # type: ignore[operator]
    assert np.mean(held) == pytest.approx(share, abs=0.02)
    assert f"{share:.0%}".replace("%", " %") in caption.INTERVALS


def test_student_covers_where_three_equal_signs_do_not() -> None:
    """Three differences of pure noise share a sign every fourth time; a verdict may not."""
    rng = np.random.default_rng(1)
    zero = dict.fromkeys(range(3), 0.0)
    wrong = sum(stats.paired(dict(enumerate(rng.normal(size=3))), zero).verdict != "undecided" for _ in range(60))
    assert wrong <= 9  # 3 expected of 60, 15 by signs alone


def test_the_probability_of_improvement_counts_pairs_ties_half() -> None:
    """First stratum: of 9 pairs 5 won and 2 tied; second: all of 9 won. Mean of 6/9 and 1."""
    found = stats.probability_of_improvement([([1, 2, 3], [0, 2, 2]), ([7, 8, 9], [1, 2, 3])])
    assert found.mean == pytest.approx((6 / 9 + 1) / 2)
    assert found.n == 6
    again = stats.probability_of_improvement([([0, 2, 2], [1, 2, 3]), ([1, 2, 3], [7, 8, 9])])
    assert again.mean == pytest.approx(1 - (6 / 9 + 1) / 2)


def test_the_interval_of_the_probability_is_that_of_all_resamples() -> None:
    a, b = [1.0, 2.0, 3.0], [0.0, 2.0, 2.5]
    won = [
        np.mean([(x > y) + (x == y) / 2 for x in p for y in q])
        for p in itertools.product(a, repeat=3)
        for q in itertools.product(b, repeat=3)
    ]
    low, high = np.quantile(won, [0.025, 0.975])
    found = stats.probability_of_improvement([(a, b)])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.06)  # steps of 1/18


@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_the_interval_over_architectures_is_the_bootstraps(decimals: int) -> None:
    """With many ties, some, and none."""
    rng = np.random.default_rng(decimals)
    truth = rng.normal(size=300)
    estimate = np.round(truth + rng.normal(size=300), decimals)
    truth = np.round(truth, decimals)
    found = stats.tau_over_architectures([(estimate, truth)])
    assert found.mean == pytest.approx(kendalltau(estimate, truth).statistic)
    low, high = metrics.tau_interval(estimate, truth, np.random.default_rng(0), resamples=800)
    assert found.low == pytest.approx(low, abs=0.012)
    assert found.high == pytest.approx(high, abs=0.012)
    assert found.n == 300


def test_runs_share_their_architectures() -> None:
    """The mean of equal runs is as uncertain as one; a run that ranks backwards takes the uncertainty away."""
    rng = np.random.default_rng(4)
    truth = rng.normal(size=200)
    estimate = truth + rng.normal(size=200)
    one = stats.tau_over_architectures([(estimate, truth)])
    assert stats.tau_over_architectures([(estimate, truth)] * 3) == pytest.approx(one)
    both = stats.tau_over_architectures([(estimate, truth), (-estimate, truth)])
    assert (both.mean, both.low, both.high) == pytest.approx((0, 0, 0), abs=1e-12)
    turned = stats.tau_over_architectures([(estimate, truth), (estimate[::-1], truth[::-1])])
    assert turned == stats.Mean(pytest.approx(one.mean), None, None, 0)  # of other architectures, or in another order


def test_the_interval_over_architectures_and_runs_covers_what_another_study_finds() -> None:
    """Runs of unlike quality rank cells that are drawn anew for each study: 95 % of the intervals hold the mean of all
    studies, and those over architectures alone far fewer."""
    rng = np.random.default_rng(11)

    def study() -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        truth = rng.normal(size=100)
        shared = rng.normal(size=100)  # how all runs misjudge these cells
        noise = np.exp(rng.normal(0.0, 0.8, size=8))
        return [(truth + 0.5 * shared + sd * rng.normal(size=100), truth) for sd in noise]

    found = [stats.tau_means(study()) for _ in range(400)]
    middle = np.mean([kendalltau(*run).statistic for _ in range(400) for run in study()])
    alone, both = (np.mean([one.low <= middle <= one.high for one in side]) for side in zip(*found, strict=True))
    assert 0.92 < both < 0.98
    assert alone < 0.88
    assert found[0][1].n == 8


def test_few_runs_and_few_architectures_leave_no_interval_over_both() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(size=40)
    runs = [(truth + rng.normal(size=40), truth) for _ in range(3)]
    assert stats.tau_means(runs[:2])[1].low is None
    assert stats.tau_means([(e[:29], t[:29]) for e, t in runs])[1].low is None
    assert stats.tau_means(runs)[1].low is not None
    same = stats.tau_means([runs[0]] * 3)  # runs that do not differ: architectures alone are uncertain
    assert (same[1].low, same[1].high) == pytest.approx((same[0].low, same[0].high), abs=6e-3)  # Student's is wider


def test_thirty_architectures_are_enough_for_an_interval() -> None:
    truth = np.arange(30.0)
    estimate = np.roll(truth, 3)
    few, enough = (stats.tau_over_architectures([(estimate[:n], truth[:n])]) for n in (29, 30))
    assert (few.low, few.high, few.n) == (None, None, 29)
    assert enough.mean is not None
    assert enough.low is not None
    assert enough.high is not None
    assert enough.low < enough.mean < enough.high
    assert enough.n == 30


def test_tau_without_architectures_enough_or_without_an_order() -> None:
    assert stats.tau_over_architectures([]) == stats.Mean(None, None, None, 0)
    assert stats.tau_over_architectures([([1.0, 1.0], [1.0, 2.0])]) == stats.Mean(None, None, None, 0)
    assert stats.tau_over_architectures([([1.0, 2.0], [1.0, 2.0])]) == stats.Mean(1.0, None, None, 2)


@pytest.mark.parametrize(("n", "first", "second"), [(1, 1, 1), (60, 4, 50), (60, 50, 4), (90, 90, 90), (120, 30, 31)])
def test_agreement_counted_from_a_table_is_that_of_all_pairs(n: int, first: int, second: int) -> None:
    rng = np.random.default_rng(n + first)
    a, b = (np.unique(rng.integers(0, most, n), return_inverse=True)[1] for most in (first, second))
    by_hand = [sum(np.sign(x - a) * np.sign(y - b)) for x, y in zip(a, b, strict=True)]
    assert stats._agreeing(a, b).tolist() == by_hand
