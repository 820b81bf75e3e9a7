"""Every table and figure on a space that is not NAS-Bench-201, and cells of any kind as graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from analysis import caption, graphs, style
from analysis.drawings import drawings
from analysis.figures import cells, cuts
from analysis.load import load, settings
from analysis.report import drawing, runs
from analysis.tables import main as main_table
from bench import spaces
from bench.spaces.layout import TwoInputCells
from bench.spaces.nb201 import SPACE as NB201
from bench.spaces.space import CellType, Edge, Space
from bench.spaces.two_inputs import TwoInputs, two_input_dag
from bench.store.record import Results
from tests.test_analysis import made_up_run, some_pairs
from tests.test_report import Tree

TOY = spaces.get("toy-darts")
NAMES = [name for name, _ in drawings()]
NOT_OF_IT = {"nb201", "embedded_ranks", "retrained", "power", "image_noise", "transfer", "evolution"} | {
    "accuracy_vs_latency"
}
"""What is about NAS-Bench-201 alone, or about what there is none of: retrainings, paired claims, other estimates, other
data sets."""
KINDS = (
    CellType("normal", inputs=2, nodes=4, output="concatenated"),
    CellType("reduce", inputs=2, nodes=4, output="concatenated", stride=2),
)
DARTS = TwoInputs(
    "darts-drawn",
    ("none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3"),
    tuple(Edge(*edge) for kind in KINDS for edge in two_input_dag(kind.name, 2, 4)),
    KINDS,
    TwoInputCells(4),
    sampled=20,
)


def split(edge: int) -> dict[str, Any]:
    """A measured cut of an edge in two, between the operations that it may take."""
    first, second = sorted(TOY.region.allowed[edge])
    return {"groups": [[first], [second]], "between": 1.0 + edge, "within": 0.0, "distances": [[0.0, 1.0], [1.0, 0.0]]}


def node(name: str, parent: str | None, depth: int, **fields: Any) -> dict[str, Any]:
    """A supernet of a tree as records hold it."""
    whole = {"kept": True, "size": TOY.size, "region": [], "accuracy": None, "cut": None}
    return {"name": name, "parent": parent, "depth": depth, **whole, **fields}


def tree(**child: Any) -> dict[str, Any]:
    """The details of a search that cuts edge 7 in two, having compared all of them."""
    cut = {"edges": [7], "splits": {str(edge): split(edge) for edge in range(len(TOY.edges))}}
    return {"tree": [node("0", None, 0, cut=cut), node("1", "0", 1, size=9, **child), node("2", "0", 1, **child)]}


def rounds() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The details of FaDE with two rounds over four cells, and their truths."""
    some = [list(TOY.population.at(row)) for row in range(4)]
    one = {"cells": some, "weights": [[0.1, 0.2, 0.3, 0.4]] * 3, "ranks": [0.1, 0.4, 0.3, 0.2], "accuracy": 0.4}
    tests = (80.0, 84.0, 83.0, 88.0)
    return {"rounds": [one, one]}, [
        {"genotype": cell, "estimate": None, "test": test} for cell, test in zip(some, tests, strict=True)
    ]


def study(results: Results) -> None:
    """Runs of every kind: none of the drawings needs another."""
    numbers = {"random_mean": 80.0, "random_median": 82.0, "optimum": 95.0, "random_best_of_1": 80.0}
    details, visited = rounds()
    base = {"name": "rsps.Rsps", "version": 1, "config": {}}
    matching = {"base": base, "grouping": {"name": "matching.Matching", "version": 1, "config": {}}}
    inner = {"name": "hyper.HyperDarts", "version": 1}
    inner |= {"config": {"training": {"epochs": 4}, "regularised": "independent", "strength": 0.1}}
    fade = {"inner": inner, "rows": 3, "cells": 4, "rounds": 2, "outer": "random"}
    curve = [(400, 10.0), (2_000, 6.0)]
    finalists = [{"genotype": cell["genotype"], "estimate": 0.5, "valid": 70.0, "test": 90.0} for cell in visited]
    for seed in range(2):
        ranked = {"pairs": some_pairs(60, seed), "tau": 0.2 + seed / 10, "tau_top10": 0.1, "coverage": 1.0}
        shared = {"space": "toy-darts", "genotype": TOY.population.at(100 + seed), "rank": 40 + seed, **numbers}
        made_up_run(results, "random", seed, images=(0, 0), **shared)
        made_up_run(results, "rsps", seed, name="rsps.Rsps", curve=curve, **shared, **ranked)
        cut = {"details": tree(), "candidates": finalists, "n_candidates": 4, **ranked, **shared}
        for label, protocol in (("gm-rsps", "paper"), ("gm-rsps(protocol=fair)", "fair")):
            made_up_run(results, label, seed, config={**matching, "protocol": protocol}, **cut)
        for label, accuracy in (("hep", 0.5), ("hep-no-smd", 0.4)):
            made_up_run(results, label, seed, config=matching, details=tree(accuracy=accuracy), **shared)
        made_up_run(results, "fade", seed, config=fade, details=details, visited=visited, **shared)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    results = Results(tmp_path_factory.mktemp("drawn") / "results")
    study(results)
    return results


@pytest.fixture(scope="module")
def frame(results: Results) -> pd.DataFrame:
    return load(results).frame


@pytest.mark.parametrize("name", NAMES)
def test_every_drawing_is_of_the_space_that_it_is_given(
    results: Results, frame: pd.DataFrame, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(style._PAGE, "figure.dpi", 40)  # nobody looks at these pictures, and good ones take long
    monkeypatch.setattr("analysis.output.lay_out", lambda figure: figure.set_layout_engine("none"))
    monkeypatch.setattr("matplotlib.backends.backend_pdf.FigureCanvasPdf.print_pdf", lambda *args, **kwargs: None)
    drawn = dict(drawings())[name].draw(frame, results)
    texts = [path.read_text() for path in drawn.paths if path.suffix in (".md", ".csv", ".tex")]
    assert bool(texts) == (name not in NOT_OF_IT)
    for text in texts:
        assert "15,625" not in text
        assert "nb201" not in text.lower()
        assert "NAS-Bench" not in text
    scored = [path for path in drawn.paths if "table-240-sampled" in path.stem]
    assert all(TOY.population.about in path.read_text() for path in scored if path.suffix == ".md")
    assert all("nb201" not in line.partition("; `python")[0] for line in drawn.missing if name not in NOT_OF_IT)


def test_ranks_say_among_which_architectures(results: Results) -> None:
    ((setting, rows),) = settings(load(results).frame, by_target=False)
    choice = next(main_table.grids(setting, rows))
    assert "rank among 240 sampled" in choice.heads
    assert caption.among(rows) == "240 sampled"
    assert caption.among(rows.assign(ranked=200.0, truth_coverage=0.8)) == "200 known of 240 sampled"
    assert set(main_table.numbers(setting, rows)["population"]) == {"240 sampled"}


def test_populations_and_kinds_of_truth_stand_in_files_of_their_own(tmp_path: Path) -> None:
    results = Results(tmp_path)
    for seed, words in enumerate(({}, {"population": "99 others"}, {"kind": "surrogate"})):
        made_up_run(results, "darts", seed, test=90.0 + seed, **words)
    made_up_run(results, "darts", 9, status="failed", scored=False)
    frame = load(results).frame
    parts = list(settings(frame, by_target=True))
    assert [set(rows["seed"]) for _, rows in parts] == [{1, 9}, {2, 9}, {0, 9}]  # what failed is counted in each
    paths = main_table.draw(frame, results).paths
    tables = {path.stem: pd.read_csv(path) for path in paths if path.suffix == ".csv"}
    plain = "main-nb201-patches-small-table"
    means = {name: data.loc[data["quantity"] == "test", "mean"].tolist() for name, data in tables.items()}
    assert means == {plain: [90.0], f"{plain}-99-others": [91.0], f"{plain}-surrogate": [92.0]}


# Cells as graphs


@pytest.mark.parametrize("space", [TOY, DARTS], ids=["toy-darts", "darts"])
def test_nodes_drop_what_is_none_and_stand_apart(space: Space) -> None:
    genotype = space.population.at(7)
    for kind in space.cells:
        kept = [e for e, _ in space.of_cell(kind.name) if genotype[e] != space.absent]
        assert [e for e, _ in graphs.shown(space, kind, genotype)] == kept
        places = graphs.places(kind)
        assert len({*places.values(), graphs.out(kind)}) == kind.inputs + kind.nodes + 1
        assert max(step for step, _ in places.values()) < graphs.out(kind)[0]


def test_a_row_keeps_its_edges_without_operation() -> None:
    (kind,) = NB201.cells
    assert len(graphs.shown(NB201, kind, (0,) * 6)) == 6


@pytest.mark.parametrize("space", [NB201, TOY, DARTS], ids=["nb201", "toy-darts", "darts"])
def test_no_edge_runs_through_a_node(space: Space) -> None:
    """The arc as the page draws it, at many points: as far from every other node as that is wide."""
    for kind in space.cells:
        places = {n: np.array(drawing._place(place, 0.0)) for n, place in graphs.places(kind).items()}
        for _, edge in space.of_cell(kind.name):
            start, end = places[edge.source], places[edge.target]
            chord = end - start
            away = -drawing.RISE * graphs.bend(kind, edge) * np.array([-chord[1], chord[0]]) / np.hypot(*chord)
            t = np.linspace(0, 1, 101)[:, None]
            points = start + t * chord + 4 * t * (1 - t) * away
            for node, place in places.items():
                if node not in (edge.source, edge.target):
                    assert np.hypot(*(points - place).T).min() > drawing.NODE_RADIUS, (kind.name, edge, node)


def test_edges_are_named_with_their_cell_where_there_are_several() -> None:
    assert graphs.edge_name(NB201, 1) == "2 ← 0"
    names = [graphs.edge_name(TOY, edge) for edge in range(len(TOY.edges))]
    assert len(set(names)) == len(TOY.edges)
    assert names[0].split() == ["normal", "2", "←", "0"]
    assert names[-1].split() == ["reduce", "3", "←", "2"]


def test_the_page_of_a_run_has_a_graph_per_cell_type(results: Results) -> None:
    page = next(page for page in runs.pages(results) if page.label == "gm-rsps")
    graphs_ = Tree(str(page.cell)).root.all("svg")
    genotype = next(r.genotype for r in results.records() if r.key == page.key)
    assert genotype is not None
    for svg, kind in zip(graphs_, TOY.cells, strict=True):
        assert [text.text for text in svg.classed("kind")] == [kind.name]
        assert [text.text for text in svg.classed("name")] == ["0", "1", "2", "3", "out"]
        assert len(svg.classed("result")) == 2
        told = [drawing.operation(TOY.ops[genotype[e]]) for e, _ in graphs.shown(TOY, kind, genotype)]
        assert [text.text for text in svg.classed("op")] == told
        assert len(told) == 4  # two nodes take two edges each
    regions = next(block for block in page.blocks if block.title == "Regions")
    assert regions.rows[0][4] == graphs.edge_name(TOY, 7)


@pytest.mark.parametrize("space", [NB201, TOY, DARTS], ids=["nb201", "toy-darts", "darts"])
def test_every_graph_has_its_nodes_and_operations_in_the_page(space: Space) -> None:
    genotype = space.population.at(5)
    for svg, kind in zip(Tree(str(drawing.cell(space, genotype))).root.all("svg"), space.cells, strict=True):
        edges = graphs.shown(space, kind, genotype)
        assert len(svg.classed("edge")) == len(edges)
        assert len(svg.classed("node")) == kind.inputs + kind.nodes + (not graphs.is_row(kind))


def painted(space: Space, genotype: tuple[int, ...]) -> Figure:
    """The figure of one chosen architecture."""
    lines = [
        {"label": "darts", "seed": 0, "test": 90.0, "rank": 3.0, "ranked": 20.0, "cell": kind.name, "edge": e,
         "source": edge.source, "target": edge.target, "operation": space.ops[genotype[e]], "live": True}
        for kind in space.cells for e, edge in graphs.shown(space, kind, genotype)
    ]  # fmt: skip
    with style.page():
        return cells.paint(space, pd.DataFrame(lines), "")


@pytest.mark.parametrize("space", [NB201, TOY, DARTS], ids=["nb201", "toy-darts", "darts"])
def test_the_figure_has_every_node_edge_and_name(space: Space) -> None:
    genotype = space.population.at(5)
    (axes,) = painted(space, genotype).axes
    words = [text.get_text() for text in axes.texts]
    shown = [edge for kind in space.cells for edge in graphs.shown(space, kind, genotype)]
    assert len(axes.patches) == len(shown)
    short = [cells.LOOKS[space.ops[genotype[e]]][0] for e, _ in shown if genotype[e] != space.absent]
    nodes = [str(node) for kind in space.cells for node in graphs.places(kind)]
    outs = [] if space is NB201 else ["out"] * len(space.cells)
    kinds = [] if space is NB201 else [kind.name for kind in space.cells]
    assert sorted(words[2:]) == sorted([*short, *nodes, *outs, *kinds])


def test_an_operation_without_a_look_is_printed_under_its_own_name() -> None:
    data = {"label": ["a"], "seed": [0], "test": [np.nan], "rank": [np.nan], "ranked": [np.nan], "cell": ["normal"]}
    edge = {"edge": [0], "source": [0], "target": [2], "operation": ["blur_7x7"], "live": [True]}
    with style.page():
        (axes,) = cells.paint(TOY, pd.DataFrame({**data, **edge}), "").axes
    assert "blur_7x7" in [text.get_text() for text in axes.texts]


def test_registered_operations_have_looks_of_their_own() -> None:
    from bench.spaces.operations import OPERATIONS

    assert set(cells.LOOKS) == set(OPERATIONS)
    names = [short for short, *_ in cells.LOOKS.values()]
    assert len(set(names)) == len(names)
    for space in (NB201, TOY, DARTS):
        looks = {cells.LOOKS[op][1:] for op in space.ops}
        assert len(looks) == len(space.ops)


def test_matrices_of_many_edges_stand_in_lines(results: Results) -> None:
    ((setting, rows),) = settings(load(results).frame, by_target=False)
    data = cuts.prepare(setting, rows, results)
    assert set(data["edge"]) == {graphs.edge_name(TOY, edge) for edge in range(len(TOY.edges))}
    with style.page():
        figure = cuts.paint(data, "")
    left = figure.axes[0]
    assert len({image.get_extent()[3] for image in left.images}) == 2
    assert len(left.images) == len(TOY.edges)
