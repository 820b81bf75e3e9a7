"""The power of a paired comparison against simulation, scipy's noncentral t, and a published table."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from analysis import power, stats


@pytest.mark.parametrize(("n", "level"), [(5, 0.05), (5, 0.05 / 12), (10, 0.05)])
def test_power_is_the_share_of_simulated_studies_that_find_the_difference(n: int, level: float) -> None:
    rng = np.random.default_rng(n)
    sd, difference = 0.026, 0.03
    drawn = rng.normal(difference, sd, (40_000, n))
    found = scipy_stats.ttest_1samp(drawn, 0.0, axis=1).pvalue < level
    assert power.power(difference, sd, n, level) == pytest.approx(found.mean(), abs=0.01)


def test_power_is_that_of_the_noncentral_t() -> None:
    for n, away in ((3, 1.0), (5, 0.5), (8, 1.5), (20, 0.2)):
        beyond, centre = scipy_stats.t.isf(0.025, n - 1), away * np.sqrt(n)
        expected = scipy_stats.nct.sf(beyond, n - 1, centre) + scipy_stats.nct.cdf(-beyond, n - 1, centre)
        assert power.power(away, 1.0, n) == pytest.approx(expected, abs=2e-4)


def test_without_a_difference_power_is_the_level() -> None:
    for n, level in ((3, 0.05), (5, 0.003), (30, 0.05)):
        assert power.power(0.0, 1.0, n, level) == pytest.approx(level, rel=0.02)


def test_sample_sizes_of_the_textbook() -> None:
    """Cohen's effect sizes of a paired t test, two-sided 5 %, power 0.8: 199, 34 and 15 pairs (G*Power 3.1)."""
    assert [power.pairs_needed(effect, 1.0) for effect in (0.2, 0.5, 0.8)] == [199, 34, 15]


def test_the_smallest_difference_has_the_power_that_is_wanted() -> None:
    for sd, n, level in ((0.12, 5, 0.05), (2.0, 7, 0.05 / 18), (0.5, 3, 0.05 / 40)):
        assert power.power(power.smallest_difference(sd, n, level), sd, n, level) == pytest.approx(0.8, abs=1e-4)
    assert power.smallest_difference(0.1, 5) == pytest.approx(10 * power.smallest_difference(0.01, 5), rel=1e-4)


def test_power_without_pairs_or_spread_is_refused() -> None:
    for sd, n in ((0.0, 5), (0.1, 1)):
        with pytest.raises(ValueError, match="not defined"):
            power.power(0.1, sd, n)


def test_holm_by_hand() -> None:
    """Of 0.01, 0.04, 0.03, 0.005 the steps are 4 x 0.005, 3 x 0.01, 2 x 0.03 and, no less than that, 1 x 0.04."""
    assert stats.holm([0.01, 0.04, None, 0.03, 0.005]) == pytest.approx([0.03, 0.06, None, 0.06, 0.02])
    assert stats.holm([0.6, 0.9]) == [1.0, 1.0]
    assert stats.holm([None]) == [None]
    assert stats.holm([]) == []


def test_holm_rejects_falsely_no_more_often_than_once_in_twenty_studies() -> None:
    """Twelve claims without a difference, of which four share their runs: one or more is found in 5 % at most; without
    the correction in far more."""
    rng = np.random.default_rng(0)
    wrong, uncorrected, studies = 0, 0, 800
    for _ in range(studies):
        shared = rng.normal(size=(1, 5))
        drawn = np.concatenate([rng.normal(size=(8, 5)), shared + rng.normal(size=(4, 5))])
        ps = scipy_stats.ttest_1samp(drawn, 0.0, axis=1).pvalue
        wrong += min(p for p in stats.holm(list(ps)) if p is not None) < 0.05
        uncorrected += ps.min() < 0.05
    assert wrong / studies < 0.075
    assert uncorrected / studies > 0.3


def test_the_interval_of_a_deviation_holds_it() -> None:
    rng = np.random.default_rng(3)
    ends = [stats.interval_of_sd(float(rng.normal(0, 2.0, 5).std(ddof=1)), 5) for _ in range(2_000)]
    assert np.mean([low <= 2.0 <= high for low, high in ends]) == pytest.approx(0.95, abs=0.015)
