"""The figures of the papers on made-up records and scores: what is plotted against values worked out by hand."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path as MarkerPath

import methods
from analysis import caption, groups, plots, stats, style
from analysis.figures import (
    best_of_n,
    cells,
    cuts,
    estimate_vs_truth,
    fade_density,
    fade_outer,
    fade_ranks,
    fade_schedule,
    protocols,
    regret_vs_cost,
    search_progress,
    stages,
    tau_top,
    tau_vs_supernets,
)
from analysis.load import load, settings
from analysis.output import Drawn
from bench.adapters.naslib import SCALE as TABLE_SCALE
from bench.runs.study import SWITCHES
from bench.spaces.nb201 import CONV1, CONV3, NONE, POOL, SKIP
from bench.store.bases import BASES
from bench.store.record import Results
from bench.store.spec import SCALES, plain
from methods.hyper import factors
from tests.test_analysis import BEST, made_up_run, some_pairs

NAN = float("nan")
SECOND = {"name": "darts.Darts", "version": 1, "config": {"order": 2}}
MATCHING = {"name": "matching.Matching", "version": 1, "config": {}}


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


def data_of(results: Results, name: str) -> pd.DataFrame:
    """What the only figure of that name plots."""
    (path,) = (results.root / "figures").glob(f"{name}-*.csv")
    return pd.read_csv(path)


def draw(module: Any, results: Results) -> Drawn:
    found: Drawn = module.draw(load(results).frame, results)
    return found


def node(name: str, parent: str | None, depth: int, **fields: Any) -> dict[str, Any]:
    """A supernet of a tree as records hold it."""
    plain = {"kept": True, "size": 15_625, "region": [list(range(5))] * 6, "accuracy": None, "cut": None}
    return {"name": name, "parent": parent, "depth": depth, **plain, **fields}


def leaves(count: int) -> dict[str, Any]:
    """The details of a search that cuts the space once, among `count` supernets."""
    return {"tree": [node("0", None, 0), *(node(str(k), "0", 1) for k in range(1, count + 1))]}


# Looks and panels


def test_every_shipped_method_has_a_name_and_a_look_of_its_own() -> None:
    labels = [label for label in methods.variants() if not label.startswith("random-best-of")]
    assert {style.printed(label) for label in labels}.isdisjoint(labels)
    bases = set(BASES.values())
    looks = [style.look(label) for label in (*labels, *bases)]
    assert len({style.look(label).marker for label in bases}) == len(bases)  # they share a panel
    assert len({(look.colour, look.marker, look.dash) for look in looks}) == len(looks)
    fair = style.look("gm-rsps(protocol=fair)")
    assert (fair.colour, fair.marker, fair.open) == (style.look("gm-rsps").colour, style.look("gm-rsps").marker, True)
    assert style.look("gm-rsps(final=3)") != style.look("gm-rsps")


@pytest.mark.parametrize(("title", "members"), groups.PANELS, ids=[title for title, _ in groups.PANELS])
def test_what_shares_a_panel_can_be_told_apart_in_grey(title: str, members: Sequence[str]) -> None:
    looks = [style.look(label) for label in members]
    assert len({look.marker for look in looks}) == len(looks)
    assert len({look.colour for look in looks if look.colour == style.GREY}) <= 1
    assert set(members) <= set(methods.variants())


@pytest.mark.parametrize(
    ("panel", "others"),
    [
        (0, (BASES["fewshot-rsps"], BASES["gm-rsps"])),
        (1, (BASES["fewshot"], *SWITCHES)),
        (2, (BASES["fewshot-snas"],)),
        (3, (BASES["hep"],)),
        (4, (BASES["hep"],)),
    ],
)
def test_bases_at_other_settings_have_marks_of_their_own_beside_their_methods(
    panel: int, others: Sequence[str]
) -> None:
    labels = (*groups.PANELS[panel][1], *others)
    assert len({style.look(label).marker for label in labels}) == len(labels)


LABELS = st.sets(st.sampled_from([*methods.variants(), *groups.fair(methods.variants()), *"abcdefghijkl"]))


@given(LABELS)
def test_panels_show_every_label_and_never_more_than_eight(labels: set[str]) -> None:
    made = groups.panels(labels)
    assert {label for _, members in made for label in members} == labels
    assert all(0 < len(members) <= groups.MOST for _, members in made)
    assert len({tuple(members) for _, members in made}) == len(made)


# Ranking


def ranking_study(results: Results) -> None:
    """One supernet, one trained longer, five and four of them; a search that drops children; a size; another base."""
    for seed, tau in enumerate((0.1, 0.2, 0.6)):
        made_up_run(results, "rsps", seed, name="rsps.Rsps", tau=tau, images=(300, 100))
        made_up_run(results, "rsps-longer", seed, name="rsps.Rsps", tau=tau + 0.1, images=(3_000, 1_000))
    base = {"base": {"name": "rsps.Rsps", "version": 1, "config": {}}, "grouping": MATCHING}
    for seed in range(2):
        made_up_run(results, "fewshot-rsps", seed, config=base, details=leaves(5), tau=0.5 + seed / 10)
        made_up_run(results, "gm-rsps", seed, config={**base, "x": 1}, details=leaves(4), tau=0.7)
    dropped = {"tree": [node("0", None, 0), node("1", "0", 1), node("2", "0", 1, kept=False)]}
    made_up_run(results, "hep", 0, config={"base": SECOND, "grouping": MATCHING}, details=dropped, tau=0.3)
    made_up_run(results, "darts-2nd", 0, name="darts.Darts", config={"order": 2}, tau=0.2)
    made_up_run(results, "parameters", 0, name="free.Size", tau=0.55, images=(0, 0))
    made_up_run(results, "bayes", 0, config={"base": {"name": "rsps.Rsps", "version": 1, "config": {}}}, tau=0.9)


def test_tau_stands_above_the_number_of_supernets_that_share_the_space(results: Results) -> None:
    ranking_study(results)
    drawn = draw(tau_vs_supernets, results)
    data = data_of(results, "tau_vs_supernets")
    means = data[data["kind"] == "mean"].set_index("label")
    assert means["supernets"].to_dict() == {
        "rsps": 1, "rsps-longer": 1, "fewshot-rsps": 5, "gm-rsps": 4, "darts-2nd": 1
    }  # fmt: skip
    assert means["base"].to_dict()["darts-2nd"] == "DARTS 2nd order"
    assert means.loc["rsps", "tau"] == pytest.approx(0.3)
    assert (means.loc["rsps", "low"], means.loc["rsps", "high"]) == (0.1, 0.6)  # of 27 resamples one is 3 x 0.1: 3.7 %
    assert np.isnan(means.loc["fewshot-rsps", "low"])  # two seeds
    assert means["images"].to_dict()["rsps-longer"] == 4_000
    runs = data[(data["kind"] == "run") & (data["label"] == "fewshot-rsps")]
    assert runs["tau"].tolist() == [0.5, 0.6]
    lines = data[data["kind"].isin(["size", "ceiling"])]
    assert lines[["kind", "tau"]].to_numpy().tolist() == [["size", 0.55], ["ceiling", 0.9]]
    (line,) = drawn.missing
    assert "gm-snas" in line
    assert "python -m bench run --space nb201 --dataset patches --scale small" in line


def test_tau_inside_the_top_is_the_mean_of_the_panel(results: Results) -> None:
    for seed in range(3):
        values = {f"tau_top{top}": tau - seed / 10 for top, tau in ((50, 0.5), (20, 0.4), (10, 0.3), (5, 0.2))}
        made_up_run(results, "rsps", seed, tau=0.6 - seed / 10, probe_n=1000, **values)
    draw(tau_top, results)
    data = data_of(results, "tau_top")
    means = data[data["kind"] == "mean"].set_index("top")
    assert means.index.tolist() == [100, 50, 20, 10, 5]  # in the top 1 % nothing was defined
    np.testing.assert_allclose(means["tau"], [0.5, 0.4, 0.3, 0.2, 0.1])
    np.testing.assert_allclose(means["high"], [0.6, 0.5, 0.4, 0.3, 0.2])
    assert data[(data["kind"] == "run") & (data["seed"] == 0)]["n"].tolist() == [1000, 500, 200, 100, 50]
    (axes,) = tau_top.paint(tau_top.prepare(load(results).frame), "").axes
    ticks = [label.get_text() for label in axes.get_xticklabels()]
    assert ticks == ["100\n1,000", "50\n500", "20\n200", "10\n100", "5\n50", "1\n"]
    assert "n of architectures" in axes.get_xlabel()


def test_a_panel_of_the_scatter_says_the_tau_of_its_run_and_the_mean(results: Results) -> None:
    for seed, tau in enumerate((-0.004, 0.34)):
        made_up_run(results, "rsps", seed, tau=tau, tau_top10=0.1, pairs=some_pairs(30, seed))
    made_up_run(results, "parameters", 0, tau=0.5, pairs=some_pairs(40, 0), images=(0, 0))
    made_up_run(results, "bayes", 0, tau=0.2, pairs=some_pairs(30, 1))
    draw(estimate_vs_truth, results)
    (path,) = (results.root / "figures").glob("estimate_vs_truth*.md")
    said = path.read_text()
    assert "Parameter count: 40" in said  # architectures, where the other panels have 30
    frame = stats.done(load(results).frame)
    ((setting, rows),) = settings(frame, by_target=True)
    panels = {panel.label: panel for panel in estimate_vs_truth.prepare(setting, rows, results, [])}
    first, second = panels["rsps"].said
    assert first == "\N{GREEK SMALL LETTER TAU} 0.17  n = 2"
    assert re.fullmatch(r"top tenth 0\.10 . estimates \d+ to \d+ %", second)
    assert panels["parameters"].said[1].endswith("share of the largest")
    assert panels["bayes"].said[1].endswith("a regression")


@pytest.mark.parametrize(("value", "text"), [(-0.004, "0.00"), (-0.006, "\N{MINUS SIGN}0.01"), (NAN, "unknown")])
def test_there_is_no_minus_before_a_zero(value: float, text: str) -> None:
    assert plots.number(value) == text


def test_long_names_are_broken_at_commas_and_brackets() -> None:
    assert plots.broken("GM-NAS, DARTS, random cut", 23) == "GM-NAS, DARTS,\nrandom cut"
    assert plots.broken("GM-NAS, DARTS (edges.by=random)", 23) == "GM-NAS, DARTS\n(edges.by=random)"
    assert plots.broken("HEP-NAS", 23) == "HEP-NAS"
    assert plots.broken("NASLib RegularizedEvolution (epochs=12)", 22).splitlines() == [
        "NASLib", "RegularizedEvolution", "(epochs=12)"
    ]  # fmt: skip


# Trees


def test_stages_hold_sizes_and_childrens_accuracies(results: Results) -> None:
    tree = [
        node("0", None, 0),
        node("1", "0", 1, kept=False, size=6_250, accuracy=0.25),
        node("2", "0", 1, size=9_375, accuracy=0.5, discretised=0.125),
    ]
    made_up_run(results, "hep", 0, details={"tree": tree})
    made_up_run(results, "gm-darts", 0, details=leaves(4))
    draw(stages, results)
    data = data_of(results, "stages")
    assert set(data["label"]) == {"hep"}
    assert data["stage"].tolist() == [0, 1, 1]
    assert data["size"].tolist() == [15_625, 6_250, 9_375]
    assert data["kept"].tolist() == [True, False, True]
    assert data["accuracy"].fillna(-1).tolist() == [-1, 25, 50]
    assert data["discretised"].fillna(-1).tolist() == [-1, -1, 12.5]


def distances(seed: int) -> list[list[float]]:
    table = np.random.default_rng(seed).integers(1, 9, (5, 5)) / 8
    return (np.triu(table, 1) + np.triu(table, 1).T).tolist()


def cut(edges: Sequence[int], tables: Mapping[int, list[list[float]]]) -> dict[str, Any]:
    split = {"groups": [[NONE, POOL], [SKIP, CONV1, CONV3]], "within": 1.0}
    splits = {str(e): {**split, "between": 2.0 + e, "distances": table} for e, table in tables.items()}
    return {"edges": list(edges), "splits": splits}


def test_matrices_are_ordered_by_group_and_scores_are_of_every_run(results: Results) -> None:
    tables = {edge: distances(edge) for edge in range(6)}
    again = cut([1], {1: distances(77)})  # of a deeper supernet: not shown
    tree = [node("0", None, 0, cut=cut([3], tables)), node("1", "0", 1, cut=again), node("2", "0", 1)]
    for seed in (4, 2):
        made_up_run(results, "gm-darts", seed, details={"tree": tree})
    draw(cuts, results)
    data = data_of(results, "cuts")
    shown = data[(data["kind"] == "distance") & (data["edge"] == "2 ← 0")]
    assert set(shown["seed"]) == {2}
    ops = ["none", "avg_pool_3x3", "skip_connect", "nor_conv_1x1", "nor_conv_3x3"]
    numbers = [NONE, POOL, SKIP, CONV1, CONV3]
    assert list(zip(shown["first"], shown["second"], strict=True)) == list(itertools.product(ops, ops))
    assert shown["value"].tolist() == [tables[1][a][b] for a in numbers for b in numbers]
    assert shown.drop_duplicates("first")["group"].tolist() == [0, 0, 1, 1, 1]
    scores = data[data["kind"] == "between"]
    assert scores[scores["seed"] == 4]["value"].tolist() == [2, 3, 4, 5, 6, 7]
    assert set(data.loc[data["cut"], "edge"]) == {"3 ← 0"}


@pytest.mark.parametrize("figure", [cuts, stages])
def test_what_has_no_room_is_named_and_never_what_the_figure_is_about(results: Results, figure: Any) -> None:
    tree = [node("0", None, 0, cut=cut([3], {3: distances(3)})), node("1", "0", 1, accuracy=0.5)]
    others = [f"{label}(final={n})" for label in figure.WANTED for n in range(3)]
    for label in (*figure.WANTED, *others):
        made_up_run(results, label, 0, details={"tree": tree})
    draw(figure, results)
    shown = list(dict.fromkeys(data_of(results, figure.NAME)["label"]))
    assert len(shown) == figure.MOST
    assert set(figure.WANTED) <= set(shown)
    (caption,) = (results.root / "figures").glob(f"{figure.NAME}*.md")
    left = set(others) - set(shown)
    words = caption.read_text().partition("For want of room without ")[2]
    assert left
    assert all(style.printed(label) in words for label in left)


def test_the_cell_of_the_median_run_is_drawn_and_dead_edges_are_pale(results: Results) -> None:
    # 0->1, 0->2, 1->2, 0->3, 1->3, 2->3: nothing leaves node 1, so the edge into it cannot matter
    middle = (CONV3, SKIP, NONE, NONE, NONE, POOL)
    for seed, (test, cell) in enumerate([(90.0, (SKIP,) * 6), (92.0, middle), (94.0, (CONV1,) * 6)]):
        made_up_run(results, "darts", seed, test=test, genotype=cell, rank=seed + 1)
    made_up_run(results, "snas", 5, test=None, genotype=middle)
    made_up_run(results, "snas", 3, test=None, genotype=(CONV1,) * 6)
    draw(cells, results)
    data = data_of(results, "cells")
    darts = data[data["label"] == "darts"]
    assert set(darts["seed"]) == {1}
    assert darts["operation"].tolist() == ["nor_conv_3x3", "skip_connect", "none", "none", "none", "avg_pool_3x3"]
    assert list(zip(darts["source"], darts["target"], strict=True)) == [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
    assert darts["live"].tolist() == [False, True, True, True, True, True]
    assert (darts["test"].iloc[0], darts["rank"].iloc[0]) == (92, 2)
    assert set(data.loc[data["label"] == "snas", "seed"]) == {3}


# FaDE


@pytest.mark.parametrize("mode", ["independent", "dependent"])
@pytest.mark.parametrize("rows", [1, 2, 3, 5])
def test_the_schedule_is_that_of_the_method(mode: str, rows: int) -> None:
    for t in np.linspace(0, 1, 21):
        expected = factors(rows, float(t), mode).numpy()
        np.testing.assert_allclose(fade_schedule.factors(rows, float(t), mode), expected, atol=1e-6)


def fade_config(mode: str) -> dict[str, Any]:
    inner = {"training": {"epochs": 40}, "regularised": mode, "strength": 0.1}
    return {"inner": {"name": "hyper.HyperDarts", "version": 1, "config": inner}, "rows": 3}


CELLS = [[op] * 6 for op in range(5)]
TESTS = (80.0, 84.0, None, 88.0, 82.0)
RANKS = ((0.1, 0.3, 0.9, 0.2, 0.1), (0.3, 0.2, 0.1, 0.1, 0.3))


def fade_study(results: Results, seeds: int = 3) -> None:
    """FaDE with two rounds over the same five cells, one without a truth; Bayesian optimisation with three cells."""
    visited = [{"genotype": cell, "estimate": None, "test": test} for cell, test in zip(CELLS, TESTS, strict=True)]
    rounds = [
        {"cells": CELLS, "weights": [np.roll((0.1, 0.15, 0.2, 0.25, 0.3), row + at).tolist() for row in range(3)],
         "ranks": list(ranks), "accuracy": 0.4}
        for at, ranks in enumerate(RANKS)
    ]  # fmt: skip
    for seed in range(seeds):
        made_up_run(
            results, "fade", seed, config=fade_config("independent"), details={"rounds": rounds}, visited=visited,
            test=84.0 + seed, curve=[(1_000, 10.0 + seed), (4_000, BEST - 84.0 - seed)],
        )  # fmt: skip
        made_up_run(results, "fade-dependent", seed, config=fade_config("dependent"))
        known = [{"genotype": [0] * 6, "test": test} for test in (80.0, None, 90.0 + seed)]
        made_up_run(results, "bayes", seed, name="bayes.Bayes", candidates=known, test=80.0)


def test_the_schedule_figure_takes_epochs_and_rows_from_the_settings(results: Results) -> None:
    fade_study(results, 1)
    draw(fade_schedule, results)
    data = data_of(results, "fade_schedule")
    assert set(zip(data["label"], data["mode"], strict=True)) == {
        ("fade", "independent"), ("fade-dependent", "dependent")
    }  # fmt: skip
    ends = data[data["epoch"] == 40]
    assert (len(ends), set(ends["factor"])) == (6, {-1})
    half = data[data["epoch"] == 20].set_index(["mode", "row"])["factor"]
    assert half["independent", 2] == pytest.approx(0)
    assert half["dependent", 1] == pytest.approx(-1)
    assert half["dependent", 2] == pytest.approx(-0.5)


def test_the_density_is_a_gaussian_kernel_estimate_of_the_weights(results: Results) -> None:
    fade_study(results, 2)
    draw(fade_density, results)
    data = data_of(results, "fade_density")
    weights = data[(data["kind"] == "weight") & (data["row"] == 2)]["p"].to_numpy()
    assert sorted(weights) == sorted([0.1, 0.15, 0.2, 0.25, 0.3] * 4)  # 2 rounds, 2 seeds
    curve = data[(data["kind"] == "density") & (data["row"] == 2)]
    wide = weights.std(ddof=1) * len(weights) ** -0.2  # Scott's rule
    bells = np.exp(-0.5 * ((curve["p"].to_numpy()[:, None] - weights) / wide) ** 2) / (wide * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(curve["density"], bells.mean(1), rtol=1e-6)


def test_equal_weights_have_no_density() -> None:
    assert fade_density.density([0.2] * 5) == []


def test_ranks_are_compared_inside_a_round_among_cells_with_a_truth(results: Results) -> None:
    fade_study(results)
    draw(fade_ranks, results)
    data = data_of(results, "fade_ranks")
    first = data[(data["kind"] == "cell") & (data["seed"] == 0) & (data["round"] == 1)]
    # FaDE-ranks 0.1, 0.3, 0.2, 0.1 of the four known cells; accuracies 80, 84, 88, 82
    assert first["predicted"].tolist() == [3.5, 1, 2, 3.5]
    assert first["evaluated"].tolist() == [4, 2, 1, 3]
    taus = data[(data["kind"] == "tau") & (data["seed"] == 0)].set_index("round")["value"]
    # round 1: 6 pairs, one tied, 4 agree, 1 does not; round 2 (.3 .2 .1 .3): one tied, 5 do not agree
    assert taus.to_dict() == pytest.approx({1: 3 / np.sqrt(5 * 6), 2: -5 / np.sqrt(5 * 6)})
    mean = data[data["kind"] == "mean_tau"].iloc[0]
    assert (mean["value"], mean["n"]) == (pytest.approx(-1 / np.sqrt(30)), 6)
    spearman = data[(data["kind"] == "spearman") & (data["seed"] == 0)]["value"].iloc[0]
    assert spearman == pytest.approx(np.corrcoef([3.5, 1, 2, 3.5], [4, 2, 1, 3])[0, 1])


def test_the_outer_search_shows_mean_best_and_choice_of_every_round(results: Results) -> None:
    fade_study(results)
    draw(fade_outer, results)
    data = data_of(results, "fade_outer")
    of_runs = data[data["seed"] == 1].set_index(["label", "kind", "round"])["test"].to_dict()
    assert of_runs == {
        ("fade", "mean", 1): 83.5, ("fade", "mean", 2): 83.5,
        ("fade", "best", 1): 88, ("fade", "best", 2): 88,
        ("fade", "choice", 1): BEST - 11, ("fade", "choice", 2): 85,
        ("bayes", "mean", 1): 80, ("bayes", "mean", 3): 91,
        ("bayes", "best", 1): 80, ("bayes", "best", 2): 80, ("bayes", "best", 3): 91,
    }  # fmt: skip
    mean = data[data["seed"].isna()].set_index(["label", "kind", "round"])
    last = mean.loc[("bayes", "best", 3)]
    assert (last["test"], last["low"], last["high"], last["n"]) == (91, 90, 92, 3)


# Choices


SPACE = {"random_mean": 80.0, "optimum": 95.0, "random_best_of_1": 80.0, "random_best_of_4": 91.0}


def protocol_study(results: Results) -> None:
    for seed in range(3):
        for label, protocol, test, oracle, images in (
            ("gm-darts", "paper", 90.0, 93.0, (6_000, 2_000)),
            ("gm-darts(protocol=fair)", "fair", 88.0, 88.5, (700, 300)),
        ):
            made_up_run(
                results, label, seed, config={"protocol": protocol}, test=test + seed, images=images, n_candidates=4,
                test_best_candidate=oracle + seed, **SPACE,
            )  # fmt: skip
        made_up_run(results, "darts-2nd", seed, test=87.0, images=(700, 300), n_candidates=1, **SPACE)


def test_protocols_stand_beside_each_other_with_the_oracles_gain(results: Results) -> None:
    protocol_study(results)
    draw(protocols, results)
    data = data_of(results, "protocols").set_index("label")
    assert data["protocol"].dropna().to_dict() == {
        "darts-2nd": "both", "gm-darts": "paper", "gm-darts(protocol=fair)": "fair"
    }  # fmt: skip
    assert data["choice"].to_dict() == {
        "darts-2nd": 87, "gm-darts": 91, "gm-darts(protocol=fair)": 89, "random_mean": 80, "optimum": 95
    }  # fmt: skip
    assert data["gain"].dropna().to_dict() == {"darts-2nd": 0, "gm-darts": 3, "gm-darts(protocol=fair)": 0.5}
    assert data["images"].dropna().to_dict() == {
        "darts-2nd": 1_000, "gm-darts": 8_000, "gm-darts(protocol=fair)": 1_000
    }  # fmt: skip
    assert (data.loc["gm-darts", "low"], data.loc["gm-darts", "high"]) == (90, 92)


def test_an_oracle_that_some_runs_lack_is_held_against_no_choice(results: Results) -> None:
    """The only run whose finalists are all known chose worst: its oracle says nothing of the others."""
    for seed, (test, oracle) in enumerate(((80.0, 88.0), (92.0, None), (94.0, None))):
        made_up_run(
            results, "fewshot", seed, config={"protocol": "paper"}, test=test, test_best_candidate=oracle,
            n_candidates=5, **SPACE,
        )  # fmt: skip
    draw(protocols, results)
    line = data_of(results, "protocols").set_index("label").loc["fewshot"]
    assert line["choice"] == pytest.approx((80 + 92 + 94) / 3)
    assert np.isnan(line["oracle"])
    assert np.isnan(line["gain"])
    draw(best_of_n, results)
    data = data_of(results, "best_of_n")
    assert set(data.loc[data["label"] == "fewshot", "kind"]) == {"choice"}


def chevrons(axes: Any) -> list[Any]:
    """The marks of values beyond the axis: no method has a marker of their own path."""
    return [line for line in axes.get_lines() if isinstance(line.get_marker(), MarkerPath)]


@pytest.mark.parametrize(("label", "fill"), [("gm-snas", style.PURPLE), ("gm-snas(protocol=fair)", "white")])
def test_a_choice_far_below_the_others_is_a_chevron_at_the_end_of_the_axis(
    results: Results, label: str, fill: str
) -> None:
    protocol_study(results)
    for seed in range(3):
        made_up_run(
            results, label, seed, config={"protocol": "fair" if fill == "white" else "paper"}, test=20.0,
            test_best_candidate=21.0, n_candidates=4, images=(700, 300), **SPACE,
        )  # fmt: skip
    frame = stats.done(load(results).frame)
    for figure, along in ((protocols, 0), (best_of_n, 0)):
        painted = figure.paint(figure.prepare(frame), "")  # type: ignore[attr-defined]
        (axes,) = painted.axes
        (mark,) = chevrons(axes)
        assert (mark.get_markerfacecolor(), mark.get_markeredgecolor()) == (fill, style.PURPLE)
        start = (axes.get_xlim(), axes.get_ylim())[along][0]
        assert mark.get_xydata()[0][along] == start
        assert start > 21
        assert (mark.get_marker().vertices[:, along] < 0).all()  # outside the axis


def test_the_base_has_a_row_where_the_caption_says_so(results: Results) -> None:
    protocol_study(results)
    draw(protocols, results)
    (path,) = (results.root / "figures").glob("protocols*.md")
    assert "row of a base" not in path.read_text()
    made_up_run(results, BASES["gm-darts"], 0, test=87.0, **SPACE)
    draw(protocols, results)
    assert "row of a base" in path.read_text()


def test_searches_on_a_table_stand_at_what_they_asked_for(results: Results) -> None:
    for label, asked in (("NASLib RandomSearch", 100), ("NASLib LocalSearch", 80)):
        for seed in range(2):
            made_up_run(
                results, label, seed, images=(0, 0), n_candidates=1, scale=TABLE_SCALE,
                details={"architectures_asked_for": asked + seed}, **SPACE,
            )  # fmt: skip
    draw(best_of_n, results)
    data = data_of(results, "best_of_n").set_index(["label", "kind"])["finalists"]
    assert data["NASLib RandomSearch", "choice"] == 100.5
    assert data["NASLib LocalSearch", "choice"] == 80.5
    (path,) = (results.root / "figures").glob("best_of_n*.md")
    said = path.read_text()
    assert "NASLib LocalSearch: 80; NASLib RandomSearch: 100" in said
    assert "dash-dotted" not in said  # there is no run of the largest


@pytest.mark.parametrize(
    ("x", "parts"),
    [
        ([10, 30, 50, 100], [(0, 3, True), (2, 4, False)]),
        ([1, 2, 3, 100], [(0, 3, True), (2, 4, False)]),
        ([4, 100], [(0, 2, False)]),
        ([10, 40, 41, 80, 100], [(0, 2, False), (1, 3, True), (2, 4, False), (3, 5, True)]),
        ([100], []),
        ([], []),
    ],
)
def test_where_a_search_proposes_nothing_its_curve_is_not_known(
    x: list[float], parts: list[tuple[int, int, bool]]
) -> None:
    assert [(part.start, part.stop, known) for part, known in plots.known_parts(x)] == parts
    assert plots.has_line(x) == any(known for *_, known in parts)


def test_a_final_choice_beyond_the_axis_is_a_chevron_and_a_legend_has_no_line_that_is_not_drawn(
    results: Results,
) -> None:
    for seed in range(3):
        curve = [(x, 5.0) for x in range(400, 4_000, 400)]
        made_up_run(results, "darts-2nd", seed, test=90.0, curve=curve)
        made_up_run(results, "gm-darts", seed, test=91.0, curve=[(40, 5.0)])
        made_up_run(results, "gm-snas", seed, test=20.0, curve=curve)
        made_up_run(results, "gm-darts-random", seed, test=50.0, curve=curve)  # an ablation: not drawn
    with style.page():
        first, axes = search_progress.paint(search_progress.prepare(load(results).frame, results), "").axes
    assert first.get_title(loc="left") == "DARTS"
    (mark,) = chevrons(axes)
    assert mark.get_ydata()[0] == axes.get_ylim()[0]
    assert mark.get_markerfacecolor() == style.look("gm-snas").colour
    assert mark.get_xdata()[0] >= 100
    legend = axes.get_legend()
    assert legend is not None
    entries = zip(legend.get_texts(), legend.get_lines(), strict=True)
    lined = {text.get_text(): line.get_linestyle() != "None" for text, line in entries}
    assert lined == {"GM-NAS, DARTS": False, "GM-NAS, SNAS": True}


def test_one_protocol_alone_is_drawn_and_the_other_named(results: Results) -> None:
    made_up_run(results, "gm-darts", 0, config={"protocol": "paper"}, scale=SCALES["quick"])
    drawn = draw(protocols, results)
    assert drawn.paths
    assert "'gm-darts(protocol=fair)'" in drawn.missing[0]


def test_best_of_n_stands_beside_choices_and_oracles_at_their_number_of_finalists(results: Results) -> None:
    protocol_study(results)
    draw(best_of_n, results)
    data = data_of(results, "best_of_n")
    assert data.loc[data["kind"] == "random", ["finalists", "test"]].to_numpy().tolist() == [[1, 80], [4, 91]]
    own = data[data["label"] == "gm-darts"].set_index("kind")
    assert own["test"].to_dict() == {"choice": 91, "oracle": 94}
    assert set(own["finalists"]) == {4}
    (caption,) = (results.root / "figures").glob("best_of_n*.md")
    assert "all 15,625" in caption.read_text()


def test_progress_holds_each_run_at_its_last_proposal(results: Results) -> None:
    made_up_run(results, "darts", 0, test=90.0, images=(3_000, 1_000), curve=[(1_000, 15.0), (2_000, None)])
    made_up_run(results, "darts", 1, test=92.0, images=(3_000, 1_000), curve=[(2_000, 5.0), (4_000, 3.0)])
    made_up_run(results, "snas", 0, test=92.0, curve=[(1_000, None)])
    draw(search_progress, results)
    data = data_of(results, "search_progress")
    assert data[data["label"] == "snas"][["kind", "share", "test"]].to_numpy().tolist() == [
        ["run", 100, 92], ["median", 100, 92]
    ]  # fmt: skip
    data = data[data["label"] == "darts"]
    runs = data[data["kind"] == "run"].groupby("seed")[["share", "test"]].apply(lambda rows: rows.to_numpy().tolist())
    assert runs.to_dict() == {0: [[25, 80], [100, 90]], 1: [[50, 90], [100, 92]]}
    mean = data[data["kind"] == "median"]
    assert mean[["share", "test"]].to_numpy().tolist() == [[50, 85], [100, 91]]  # from where both have begun
    assert mean["low"].isna().all()


def test_regret_of_many_methods_is_drawn_in_panels(results: Results) -> None:
    labels = ["rsps", "darts", "darts-2nd", "snas", "fewshot", "gm-darts", "hep", "fade", "gm-darts(protocol=fair)"]
    for label in labels:
        made_up_run(results, label, 0)
    with style.page():
        figure = regret_vs_cost.paint(regret_vs_cost.prepare(load(results).frame, results))
    assert [axes.get_title("left") for axes in figure.axes] == [
        "RSPS, whole and cut", "DARTS 2nd order, whole and cut", "SNAS, whole and cut", "DARTS 1st order and HEP-NAS",
        "FaDE and its rivals",
    ]  # fmt: skip


def test_searches_that_pass_no_image_have_no_regret_by_cost(results: Results) -> None:
    """As NASLib's on a table, whose caption says what they were given."""
    made_up_run(results, "NASLib LocalSearch(epochs=12)", 0, images=(0, 0), scale=TABLE_SCALE)
    drawn = regret_vs_cost.draw(load(results).frame, results)
    assert drawn.paths == ()
    assert all("no run passed an image" in line for line in drawn.missing)
    assert "epochs" not in caption.scale_numbers(plain(TABLE_SCALE))  # nothing is trained


# What is missing, and bytes

FIGURES: list[tuple[Any, str]] = [
    (tau_vs_supernets, "--methods rsps-longer fewshot-rsps gm-rsps"),
    (stages, "--methods hep hep-no-smd hep-parent hep-siblings"),
    (cuts, "--methods gm-darts gm-snas gm-rsps hep"),
    (fade_schedule, "--methods fade fade-dependent"),
    (fade_density, "--methods fade fade-dependent fade-unregularised fade-random"),
    (fade_ranks, "--methods fade fade-dependent fade-unregularised fade-random"),
    (fade_outer, "--methods fade fade-random bayes"),
    (protocols, "--methods"),
    (best_of_n, "python -m bench score"),
    (search_progress, "python -m bench score"),
    (tau_top, "python -m bench score"),
]


@pytest.mark.parametrize(("module", "command"), FIGURES, ids=[module.__name__ for module, _ in FIGURES])
def test_what_cannot_be_drawn_is_one_line_with_the_command(results: Results, module: Any, command: str) -> None:
    made_up_run(results, "rsps", 0, test=None, name="rsps.Rsps", dataset="cifar10-jpeg", targets=("cifar10",))
    drawn = draw(module, results)
    assert drawn.paths == ()
    (line,) = drawn.missing
    assert line.startswith(f"{module.NAME} nb201-cifar10-jpeg-")
    assert command in line
    assert "\n" not in line
    assert not (results.root / "figures").exists()


def test_a_figure_of_some_runs_says_how_many(results: Results) -> None:
    for label, seed in itertools.product(("hep", "hep-no-smd"), (0, 1)):
        tree = [node("0", None, 0), node("1", "0", 1, accuracy=0.5, size=10)]
        made_up_run(results, label, seed, details={"tree": tree}, scale=SCALES["quick"])
    drawn = draw(stages, results)
    (caption,) = (path for path in drawn.paths if path.suffix == ".md")
    assert "4 of 10 runs of study nb201-partition" in caption.read_text()  # five seeds of two methods
    assert "--seeds 2 3 4" in drawn.missing[0]


STUDIES: list[tuple[Any, Callable[[Results], None]]] = [
    (tau_vs_supernets, ranking_study),
    (fade_density, fade_study),
    (fade_ranks, fade_study),
    (protocols, protocol_study),
]


@pytest.mark.parametrize(("module", "study"), STUDIES, ids=[module.__name__ for module, _ in STUDIES])
def test_equal_results_give_equal_bytes(results: Results, module: Any, study: Callable[[Results], None]) -> None:
    study(results)
    once = {path.name: path.read_bytes() for path in draw(module, results).paths}
    assert {Path(name).suffix for name in once} == {".pdf", ".png", ".csv", ".md"}
    assert {path.name: path.read_bytes() for path in draw(module, results).paths} == once


def test_no_figure_has_an_interval_of_two_runs() -> None:
    assert stats.LEAST_RUNS == 3
    assert np.isnan([point["low"] for point in search_progress.held([[(0, 1.0), (1, 2.0)]] * 2)]).all()
    assert not np.isnan([point["low"] for point in search_progress.held([[(0, 1.0), (1, 2.0)]] * 3)]).any()
