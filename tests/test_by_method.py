"""The two figures of searches side by side, their data against hand-made numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis import answer, stats
from analysis.figures import accuracy_vs_cost, best_of_n, tau_by_method
from analysis.load import load, settings
from bench.store.record import Results
from tests.test_analysis import made_up_run


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Yardsticks, a search with a collapsed run, one in both protocols, an ablation."""
    results = Results(tmp_path / "results")
    made_up_run(results, "parameters", 0, tau=0.5, images=(0, 0))
    made_up_run(results, "largest", 0, test=94.0, images=(0, 0))
    for seed, test in enumerate((93.0, 92.0, 10.0)):
        shared = {"test": test, "tau": 0.1 * seed, "tau_cross_entropy": 0.3, "random_mean": 80.0}
        made_up_run(results, "darts", seed, images=(1_000 * (seed + 1), 0), **shared)
        made_up_run(results, "hep", seed, config={"protocol": "paper"}, **shared)
        made_up_run(results, "hep(protocol=fair)", seed, config={"protocol": "fair"}, **shared)
        made_up_run(results, "hep-no-smd", seed, config={"protocol": "paper"}, **shared)
    return results


def test_every_search_has_a_row_and_every_yardstick_a_line(results: Results) -> None:
    ((setting, rows),) = settings(load(results).frame, by_target=True)
    lines = tau_by_method.searches(setting, rows)
    data = tau_by_method.prepare(lines, answer.yardsticks(rows))
    dots = data[data["kind"] == "accuracy"].set_index("label")
    assert list(dots.index) == ["darts", "hep", "hep(protocol=fair)"]
    assert dots.loc["darts", ["tau", "cross_entropy", "n", "images"]].tolist() == pytest.approx([0.1, 0.3, 3, 2_000])
    assert set(data.loc[data["kind"] == "level", "name"]) == {"parameter count", "noise ceiling"}
    figure = tau_by_method.paint(data, "")
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [
        "DARTS, first order", "HEP-NAS on DARTS, first order"
    ]  # fmt: skip


def test_a_point_is_the_median_and_collapse_is_counted(results: Results) -> None:
    ((_, rows),) = settings(load(results).frame, by_target=True)
    data = accuracy_vs_cost.prepare(stats.done(rows), ["darts"], answer.yardsticks(rows))
    (point,) = data[data["kind"] == "median"].to_dict("records")
    assert (point["test"], point["images"], point["n"], point["collapsed"]) == (92.0, 2_000, 3, 1)
    assert (point["low"], point["high"]) == (51.0, 92.5)
    assert set(data.loc[data["kind"] == "level", "test"]) == {94.0, 80.0}
    figure = accuracy_vs_cost.paint(data, "")
    low, high = figure.axes[0].get_ylim()
    assert 70 < low < 80 < 94 < high  # the collapsed run does not squeeze the others


def test_points_at_equal_cost_stand_beside_each_other(results: Results) -> None:
    ((_, rows),) = settings(load(results).frame, by_target=True)
    data = accuracy_vs_cost.prepare(stats.done(rows), ["hep", "hep(protocol=fair)"], answer.yardsticks(rows))
    (axes,) = accuracy_vs_cost.paint(data, "").axes
    places = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]  # type: ignore[index]
    assert len(set(places)) == 2


def test_both_are_drawn_by_the_command(results: Results) -> None:
    frame = load(results).frame
    assert len(tau_by_method.draw(frame, results).paths) == 4
    assert len(accuracy_vs_cost.draw(frame, results).paths) == 4


def test_where_every_search_is_changed_all_have_a_row(tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    for label in ("NASLib RandomSearch(epochs=12)", "NASLib LocalSearch(epochs=12)"):
        for seed in range(3):
            made_up_run(results, label, seed, test=90.0 + seed, random_mean=80.0, random_best_of_1=80.0)
    figure = best_of_n.paint(best_of_n.prepare(stats.done(load(results).frame)), "")
    names = [text.get_text().partition("  ")[0] for text in figure.axes[0].get_yticklabels()]
    assert sorted(names) == ["NASLib LocalSearch (epochs=12)", "NASLib RandomSearch (epochs=12)"]
