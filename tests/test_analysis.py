"""The analysis package on made-up results: cells and figure data against hand-made numbers, and every refusal."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import load as loading
from analysis import missing, stats, style
from analysis.__main__ import SHOWN, Options, draw_all, main
from analysis.figures import estimate_vs_truth, regret_vs_cost
from analysis.figures.estimate_vs_truth import ranked
from analysis.links import FIGURES, TABLES, link, without_links
from analysis.load import load
from analysis.pairs import read_pairs, sides, tenths
from analysis.tables import main as main_table
from analysis.tables.grid import Cell, Grid, latex_escaped, markdown, show
from bench import spaces
from bench.cli.commands import main as bench_main
from bench.errors import BadRecord
from bench.runs.study import Study
from bench.scoring.panel import DEFINITIONS
from bench.spaces.space import Genotype, Population
from bench.store.files import write_atomically
from bench.store.record import Candidate, Record, Results, Score
from bench.store.spec import SCALES, Scale, key_of, plain
from tests import edited

ROOT = Path(__file__).parent.parent
BEST = 95.0  # percent, the best architecture of the made-up truth
SMALL = SCALES["small"]
Pairs = tuple[Sequence[float], Sequence[float]]  # estimates [0, 1] and test accuracies in percent


def made_up_run(
    results: Results,
    label: str,
    seed: int,
    *,
    test: float | None = 90.0,
    dataset: str = "patches",
    targets: Sequence[str] = ("patches",),
    scale: Scale = SMALL,
    truth: str = "table",
    checksum: str = "c0ffee",
    images: tuple[int, int] = (3_000, 1_000),
    curve: Sequence[tuple[int, float | None]] = (),
    pairs: Pairs | None = None,
    config: Mapping[str, Any] | None = None,
    choice_estimate: float | None = 0.5,
    status: Any = "done",
    scored: bool = True,
    name: str = "made_up",
    space: str = "nb201",
    genotype: tuple[int, ...] | None = None,
    details: Mapping[str, Any] | None = None,
    **others: Any,
) -> str:
    """Write a record, its scores by one truth and its pairs; `others` are fields of `Score` or names of its panel.
    Returns the key."""
    population = spaces.get(space).population
    genotype = genotype or population.at(0)
    identity = {
        "schema": 1,
        "method": {"name": name, "version": 1, "config": {"label": label, **(config or {})}},
        "space": space,
        "dataset": dataset,
        "seed": seed,
        "scale": plain(scale),
    }
    key = key_of(identity)
    spent = {"forward_images": images[0], "backward_images": images[1], "device_s": 10.0 + seed}
    cost = edited.cost(search={**spent, "supernets": others.pop("supernets", 2)})
    unknown = {"estimate": None, "valid": None, "test": None, "rank": None}
    others["visited"] = tuple({**unknown, **one} for one in others.get("visited", ()))
    judged = [{**unknown, **one} for one in others.pop("candidates", ())] or [
        {**unknown, "genotype": list(one), "estimate": estimate, "test": test}
        for one, estimate in finalists(population, genotype, choice_estimate, others.pop("n_candidates", 2))
    ]
    trace = [{"forward_images": x - x // 4, "backward_images": x // 4, "wall_s": 1.0} for x, _ in curve]
    architecture = spaces.get(space).show(genotype)
    results.save(
        Record(
            key=key,
            label=label,
            identity=identity,
            status=status,
            message="",
            genotype=genotype,
            architecture=architecture,
            candidates=tuple(Candidate(tuple(one["genotype"]), one["estimate"]) for one in judged),
            trace=tuple({**point, "genotype": list(genotype)} for point in trace),
            details=details or {},
            cost=cost,
            estimates=None,
            place={"code": "c0de", "device": "cpu", "device_name": "A Processor"},
        )
    )
    if pairs:
        write_atomically(results.estimates_path(key), estimates_file(pairs[0], space))
        for target in targets:
            extend_truths(results.truths_path(truth, target), pairs[1], checksum, space)
    shared: dict[str, Any] = {
        "valid": None if test is None else test - 1,
        "test": test,
        "regret_valid": None,
        "regret_test": None if test is None else BEST - test,
        "rank": None,
        "population": population.about,
        "kind": "trained",
        "ranked": len(population),
        "test_best_candidate": test,
        "n_candidates": len(judged),
        "n_candidates_known": sum(one["test"] is not None for one in judged),
        "candidates": tuple(judged),
        "tau": None,
        "spearman": None,
        "estimates_measured": True,
        "probe_n": len(pairs[0]) if pairs else 0,
        "coverage": None,
        "ceiling": 0.9,
        **{name: value for name, value in others.items() if name not in DEFINITIONS},
        "panel": {**dict.fromkeys(DEFINITIONS), **{k: v for k, v in others.items() if k in DEFINITIONS}},
    }
    if scored:
        results.save_scores(
            key,
            truth,
            [
                Score(
                    key=key,
                    label=label,
                    method=name,
                    space=space,
                    dataset=dataset,
                    target=target,
                    seed=seed,
                    scale=scale.name,
                    status=status,
                    truth=truth,
                    truth_checksum=checksum,
                    truth_coverage=1.0,
                    architecture=architecture,
                    cost=cost,
                    curve=tuple(
                        {**point, "regret_test": y, "test": None if y is None else BEST - y}
                        for point, (_, y) in zip(trace, curve, strict=True)
                    ),
                    pairs=results.truths_path(truth, target).name if pairs else None,
                    **shared,
                )
                for target in targets
            ],
        )
    return key


def finalists(
    population: Population, choice: Genotype, estimate: float | None, count: int
) -> Iterator[tuple[Genotype, float | None]]:
    """So many finalists, the choice the last of them, with the search's estimates."""
    for at in range(count - 1):
        yield population.at(len(population) // 4 + at), 0.4
    yield choice, estimate


def keys_of_first(count: int, space: str) -> dict[str, Any]:
    """The first architectures of a population as a column of a file."""
    population = spaces.get(space).population
    if population.whole:
        return {"position": np.arange(count, dtype=np.int32)}
    return {"architecture": sorted(spaces.get(space).show(population.at(row)) for row in range(count))}


def estimates_file(estimates: Sequence[float], space: str = "nb201") -> bytes:
    """A file of estimates as a run writes it."""
    columns = {
        **keys_of_first(len(estimates), space),
        "accuracy": np.array(estimates, dtype=np.float32),
        "cross_entropy": np.ones(len(estimates), dtype=np.float32),
    }
    stream = BytesIO()
    pyarrow.parquet.write_table(pa.table(columns), stream)
    return stream.getvalue()


def extend_truths(path: Path, tests: Sequence[float], checksum: str, space: str = "nb201") -> None:
    """A file of truths as scoring writes it; one that is there must say the same of the cells that both know."""
    known = pyarrow.parquet.read_table(path)["test"].to_numpy() if path.exists() else np.empty(0)
    shared = min(len(known), len(tests))
    np.testing.assert_array_equal(known[:shared], np.float32(tests[:shared]))
    longer = max(known, np.array(tests), key=len)
    columns = {
        **keys_of_first(len(longer), space),
        "test": longer.astype(np.float32),
        "cell_class": np.arange(len(longer), dtype=np.int32),
        "parameters": np.arange(len(longer), dtype=np.int32) % 7,
        "multiply_adds": np.arange(len(longer), dtype=np.int32) % 11,
    }
    stream = BytesIO()
    pyarrow.parquet.write_table(pa.table(columns).replace_schema_metadata({"checksum": checksum}), stream)
    write_atomically(path, stream.getvalue())


def some_pairs(count: int, seed: int) -> Pairs:
    """Estimates that rank the truth with noise; numbers that single precision and four decimals hold. The truth is
    one for all seeds."""
    rng = np.random.default_rng(seed)
    tests = np.random.default_rng(0).integers(10 * 80, 10 * 94, 100)[:count] / 10
    estimates = np.round(np.clip((tests - 70) / 30 + rng.normal(0, 0.1, count), 0, 1), 3)
    return estimates.tolist(), tests.tolist()


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


def made_up_study(results: Results) -> Results:
    """Baselines, a method with a diverged run, and one with two seeds, no estimate of its choice and no curve."""
    for seed, test in enumerate((70.0, 80.0, 87.0)):
        made_up_run(results, "random", seed, test=test, images=(0, 0), choice_estimate=None)
    made_up_run(results, "largest", 0, test=93.0, images=(0, 0), choice_estimate=None)
    for seed, test in enumerate((90.0, 91.0, 92.0)):
        made_up_run(
            results, "darts", seed, test=test, tau=0.5 + seed / 10, tau_top10=0.1, coverage=1.0, rank=100 * seed + 7,
            curve=[(1_000, 20.0), (2_000, 10.0 - seed), (4_000, BEST - test)], pairs=some_pairs(60, seed),
        )  # fmt: skip
    made_up_run(results, "darts", 3, test=None, status="diverged", images=(9, 9))
    for seed in range(2):
        made_up_run(
            results, "rsps", seed, test=94.0, tau=0.7, curve=[(1_000, None), (2_000, None)], pairs=some_pairs(60, seed),
            choice_estimate=None,
        )  # fmt: skip
    return results


@pytest.fixture
def study(results: Results) -> Results:
    return made_up_study(results)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The study with all its tables and figures, for tests that only read them."""
    results = made_up_study(Results(tmp_path_factory.mktemp("drawn") / "results"))
    assert draw_all(Options(results.root)) == 0
    return results


def draw_tables(results: Results) -> None:
    main_table.draw(load(results).frame, results)


def table(results: Results) -> list[Grid]:
    """The printed tables of the only setting."""
    ((setting, rows),) = loading.settings(load(results).frame, by_target=False)
    return list(main_table.grids(setting, rows))


def cells(grid: Grid) -> dict[str, dict[str, str]]:
    """Method → column head → text."""
    return {str(row[0]): dict(zip(grid.heads, map(str, row), strict=True)) for row in grid.rows}


def written(results: Results, prefix: str, suffix: str) -> Path:
    (path,) = results.root.rglob(f"{prefix}*{suffix}")
    return path


# The main table


def test_cells_are_the_means_worked_out_by_hand(study: Results) -> None:
    choice, ranking, cost = map(cells, table(study))
    assert list(choice) == ["Random", "Largest", "RSPS", "DARTS"]
    darts = choice["DARTS"]
    assert darts["n (done / diverged / failed)"] == "3 / 1 / 0"
    # Of the 27 equally likely resamples of three values one holds the lowest thrice: 3.7 %, more than 2.5 %.
    assert darts["test (%)"] == "91.00 [90.00, 92.00]"
    assert darts["valid (%)"] == "90.00 [89.00, 91.00]"
    assert darts["regret (points)"] == "4.00 [3.00, 5.00]"
    assert darts["rank among all 15,625"] == "107 [7, 207]"
    assert choice["RSPS"]["test (%)"] == "94.00"
    assert choice["RSPS"]["rank among all 15,625"] == "\N{EN DASH}"
    assert choice["Random"]["test (%)"] == "79.00 [70.00, 87.00]"
    assert ranking["DARTS"]["tau"] == "0.600 [0.500, 0.700]"
    assert ranking["DARTS"]["ceiling"] == "0.900"
    assert ranking["DARTS"]["coverage (%)"] == "100"
    assert ranking["DARTS"]["probe n"] == "60"
    assert cost["DARTS"]["forward images (thousands)"] == "3.0"
    assert cost["DARTS"]["backward images (thousands)"] == "1.0"
    assert cost["DARTS"]["seconds"] == "11.0"
    assert cost["Random"]["forward images (thousands)"] == "0.0"


def test_a_mean_of_fewer_values_than_runs_says_so(results: Results) -> None:
    for seed, tau in enumerate((0.2, 0.4, None)):
        made_up_run(results, "darts", seed, tau=tau)
    ranking = cells(table(results)[1])
    assert ranking["DARTS"]["tau"] == "0.300 (n = 2)"


def test_the_oracle_stands_in_a_column_that_says_so(results: Results) -> None:
    made_up_run(results, "darts", 0, test=90.0, test_best_candidate=94.5, n_candidates=8)
    choice = cells(table(results)[0])["DARTS"]
    assert choice["test (%)"] == "90.00"
    assert choice["best candidate (oracle) (%)"] == "94.50"
    assert choice["finalists"] == "8"


def test_the_csv_holds_every_quantity_with_its_interval_and_n(drawn: Results) -> None:
    data = pd.read_csv(written(drawn, "main-", ".csv"))
    rows = {(str(row["label"]), str(row["quantity"])): row for _, row in data.iterrows()}
    row = rows["darts", "test"]
    assert (row["mean"], row["low"], row["high"], row["n"], row["done"], row["diverged"]) == (91, 90, 92, 3, 3, 1)
    assert rows["darts", "device_s"]["mean"] == 11
    assert pd.isna(rows["rsps", "test"]["low"])
    assert rows["rsps", "tau"]["n"] == 2


def test_targets_stand_side_by_side_the_searched_one_first_and_costs_once(results: Results) -> None:
    for seed in range(2):
        made_up_run(results, "random", seed, dataset="cifar10-jpeg", targets=("cifar100", "cifar10", "imagenet16-120"))
    grids = table(results)
    assert [grid.title for grid in grids] == [
        "Choice, cifar10 (searched on cifar10-jpeg)",
        "Ranking, cifar10 (searched on cifar10-jpeg)",
        "Choice, cifar100 (transfer)",
        "Ranking, cifar100 (transfer)",
        "Choice, imagenet16-120 (transfer)",
        "Ranking, imagenet16-120 (transfer)",
        "Cost of the search",
    ]
    assert cells(grids[0])["Random"]["n (done / diverged / failed)"] == "2 / 0 / 0"
    assert cells(grids[-1])["Random"]["n (done / diverged / failed)"] == "2 / 0 / 0"


def test_the_caption_says_what_the_numbers_are_of(drawn: Results) -> None:
    text = written(drawn, "main-", ".md").read_text()
    scale, truth = ("8 channels", "12,000", "6,000", "0.4"), ("c0ffee", "all 15,625", "100.0 %")
    seeds = ("Largest: 1; RSPS: 2", "DARTS: 1")
    for said in (
        "patches",
        *scale,
        *truth,
        *seeds,
        "A Processor",
        TABLES,
        f"python -m analysis --results {drawn.root.as_posix()}",
    ):
        assert said in text


@pytest.mark.parametrize(
    ("root", "address"),
    [("results", "](../../docs/tables.md#main)"), ("results/own", "](../../../docs/tables.md#main)"), ("/a/b", "")],
)
def test_definitions_are_a_link_away_where_the_results_are_in_the_project(root: str, address: str) -> None:
    text = link(TABLES, "main", Path(root))
    assert text.endswith(address)
    assert without_links(f"See {text}.") == f"See {TABLES}, main."
    assert ("[" in text) == bool(address)


# Printing


def test_latex_disarms_every_character_that_means_something() -> None:
    assert latex_escaped("a_b & 50 % ~x^2 #1 $5 {} \\ --results") == (
        r"a\_b \& 50 \% \textasciitilde{}x\textasciicircum{}2 \#1 \$5 \{\} \textbackslash{} -{}-results"
    )


HOSTILE = "me_thod & co 50% ~{a}^$\\#[x]|y--z"


def test_latex_tables_are_well_formed_with_any_label(results: Results) -> None:
    for seed in range(3):
        made_up_run(results, "label", seed, test=90.0 + seed)
    main_table.draw(load(results).frame.assign(label=HOSTILE, base=HOSTILE), results)  # no record may have it
    text = written(results, "main-", ".tex").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    bare = re.sub(r"\\[\\%_&#${}]", "", "\n".join(lines))  # row ends and printed characters
    assert "%" not in bare
    assert bare.count("{") == bare.count("}")
    opened, closed = (re.findall(rf"\\{word}{{([a-z*]+)}}", bare) for word in ("begin", "end"))
    assert sorted(opened) == sorted(closed)
    assert opened.count("tabular") == 3
    for block in re.findall(r"\\begin{tabular}{@{}(l?r*)@{}}(.*?)\\end{tabular}", bare, re.DOTALL):
        rows = [line for line in block[1].splitlines() if "&" in line]
        assert len(rows) == 2
        assert {line.count("&") for line in rows} == {len(block[0]) - 1}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
def test_latex_compiles(results: Results, tmp_path: Path) -> None:
    for seed in range(3):
        made_up_run(results, "label", seed, test=90.0 + seed)
    main_table.draw(load(results).frame.assign(label=HOSTILE, base=HOSTILE), results)  # no record may have it
    body = written(results, "main-", ".tex").read_text()
    document = f"\\documentclass{{article}}\\usepackage{{booktabs,graphicx}}\\begin{{document}}{body}\\end{{document}}"
    (tmp_path / "table.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    assert subprocess.run(command, cwd=tmp_path, stdout=subprocess.DEVNULL, timeout=60).returncode == 0


def test_markdown_rows_have_as_many_columns_as_the_head() -> None:
    grid = Grid("T", ("Method", "x"), ((Cell("a|b"), Cell("1.0", "[0.5, 1.5]")),))
    lines = markdown(grid).splitlines()
    assert lines[0] == "**T**"
    assert {len(re.split(r"(?<!\\)\|", line)) for line in lines[2:]} == {4}
    assert lines[4].split() == ["|", "a\\|b", "|", "1.0", "[0.5,", "1.5]", "|"]


def test_the_terminal_gets_aligned_text_without_escape_codes(study: Results) -> None:
    out = StringIO()
    show(table(study)[0], out)
    lines = [line.rstrip() for line in out.getvalue().splitlines()[1:] if line.strip()]
    assert "\x1b" not in out.getvalue()
    assert len({len(line) for line in lines}) == 1  # the last column ends at one place
    assert "91.00 [90.00, 92.00]" in out.getvalue()


def test_a_narrow_terminal_gets_the_means_and_is_told(study: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "90")
    out = StringIO()
    show(table(study)[0], out)
    assert "91.00" in out.getvalue()
    assert "[90.00" not in out.getvalue()
    assert re.search(r"\d{3}", out.getvalue())  # the width that intervals need


def test_partial_results_are_printed_and_the_rest_is_named(study: Results, capsys: pytest.CaptureFixture[str]) -> None:
    made_up_run(study, "snas", 0, scored=False)
    assert draw_all(Options(study.root, partial=True)) == 0
    captured = capsys.readouterr()
    assert "91.00 [90.00, 92.00]" not in captured.out
    assert captured.out.splitlines()[-1].endswith(str(study.root / "report.html"))
    lines = captured.err.splitlines()
    assert lines[0].startswith("missing: snas seed 0")
    assert len(lines) == SHOWN + 1
    more = int(re.search(r"missing: (\d+) more, listed in .*report.html and by --missing", lines[-1])[1])  # type: ignore[index]
    assert draw_all(Options(study.root, partial=True, missing=True, tables=True)) == 0
    captured = capsys.readouterr()
    assert len(captured.err.splitlines()) == SHOWN + more
    assert "91.00 [90.00, 92.00]" in captured.out


# Means


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-100, 100).map(lambda x: round(x, 3)), min_size=1, max_size=7), st.randoms())
def test_intervals_hold_the_mean_and_do_not_depend_on_order(values: list[float], random: Any) -> None:
    found = stats.mean_of(values)
    shuffled = random.sample(values, len(values))
    assert stats.mean_of([None, *shuffled]) == found
    assert found.n == len(values)
    assert found.mean == pytest.approx(sum(values) / len(values), abs=1e-9)
    if len(values) < 3:
        assert found.low is found.high is None
    else:
        ends = [min(values), found.low, found.mean, found.high, max(values)]
        assert all(a <= b + 1e-9 for a, b in itertools.pairwise(float(end or 0) for end in ends))


def test_the_interval_is_that_of_all_resamples() -> None:
    values = [1.0, 2.0, 4.0, 8.0]
    means = [np.mean(sample) for sample in itertools.product(values, repeat=4)]
    low, high = np.percentile(means, [2.5, 97.5])
    found = stats.mean_of(values)
    assert found.low == pytest.approx(low, abs=0.26)  # the resample means are multiples of 1/4
    assert found.high == pytest.approx(high, abs=0.26)


# Figures


def test_the_scatter_plots_the_pairs_of_the_median_run(drawn: Results) -> None:
    data = pd.read_csv(written(drawn, "estimate_vs_truth", ".csv"))
    assert set(data["label"]) == {"darts", "rsps"}
    darts = data[data["label"] == "darts"]
    points = darts[darts["kind"] == "point"]
    estimates, tests = some_pairs(60, 1)  # tau 0.5, 0.6, 0.7: the middle one is seed 1
    assert set(points["seed"]) == {1}
    assert points["architecture"].astype(int).tolist() == list(range(60))
    np.testing.assert_allclose(points["test"], tests, atol=1e-9)
    np.testing.assert_allclose(points["estimate"], 100 * np.array(estimates), atol=1e-9)
    below = [sum(other < one for other in tests) + (tests.count(one) - 1) / 2 for one in tests]
    np.testing.assert_allclose(points["true_rank"], 100 * np.array(below) / 59, atol=0.006)
    assert set(darts[darts["kind"] == "tenth"]["seed"]) == {0, 1, 2}


def test_tenths_are_means_of_equal_groups(study: Results) -> None:
    row = next(score for score in study.scores() if score.pairs)
    pairs = ranked(read_pairs(sides(study, row.key, row.truth, row.target, row.truth_checksum), 60))
    rows = sorted(zip(pairs["true_rank"], pairs["architecture"], pairs["rank"], strict=True))
    by_hand = [
        (np.mean([r[0] for r in rows[i : i + 6]]), np.mean([r[2] for r in rows[i : i + 6]])) for i in range(0, 60, 6)
    ]
    np.testing.assert_allclose(tenths(pairs).to_numpy(), by_hand, atol=0.006)


def test_the_scatter_has_eight_panels_at_most_and_each_paper_in_one(results: Results) -> None:
    labels = (
        "parameters",
        "multiply-adds",
        "rsps",
        "rsps-longer",
        "snas",
        "darts",
        "fewshot",
        "gm-snas",
        "hep",
        "fade",
    )
    for at, label in enumerate((*labels, "hep-no-smd")):
        made_up_run(results, label, 0, tau=0.5 + at / 100, pairs=some_pairs(60, at))
    frame = load(results).frame
    assert set(estimate_vs_truth.chosen(frame)) == set(labels) - {"multiply-adds", "rsps"}
    draw_all(Options(results.root))
    caption = written(results, "estimate_vs_truth", ".md").read_text()
    assert "without Multiply-adds, RSPS, HEP-NAS, no SMD." in caption
    assert FIGURES in caption


def test_missing_pairs_are_named_and_the_rest_is_drawn(study: Results, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (study.root / "truths").iterdir():
        path.unlink()
    assert draw_all(Options(study.root, missing=True)) == 0
    assert "python -m bench score" in capsys.readouterr().err
    assert not list(study.root.rglob("estimate_vs_truth*"))
    assert list(study.root.rglob("regret_vs_cost*.pdf"))


def test_the_regret_figure_plots_the_curves_of_the_scores(drawn: Results) -> None:
    data = pd.read_csv(written(drawn, "regret_vs_cost", ".csv"))
    for seed, last in enumerate((5.0, 4.0, 3.0)):
        curve = data[(data["label"] == "darts") & (data["kind"] == "curve") & (data["seed"] == seed)]
        assert curve["images"].tolist() == [1_000, 2_000, 4_000]
        assert curve["regret"].tolist() == [20.0, 10.0 - seed, last]
    mean = data[(data["label"] == "darts") & (data["kind"] == "curve_mean")]
    assert mean["regret"].tolist() == [20.0, 9.0, 4.0]
    assert set(data.loc[data["label"] == "rsps", "kind"]) == {"final", "final_mean"}
    levels = data[data["kind"] == "level"].set_index("label")
    assert levels["regret"].to_dict() == {"random": 16.0, "largest": 2.0}
    end = data[(data["label"] == "darts") & (data["kind"] == "final_mean")].iloc[0]
    assert (end["images"], end["regret"], end["low"], end["high"]) == (4_000, 4, 3, 5)


STEPS = st.dictionaries(st.integers(0, 20), st.integers(0, 50), min_size=2, max_size=6)


@given(st.lists(STEPS, min_size=1, max_size=4))
def test_the_mean_line_holds_each_run_at_its_last_value(curves: list[dict[int, int]]) -> None:
    def held(curve: dict[int, int], x: float) -> float:
        return curve[max(at for at in curve if at <= x)]

    start, end = max(map(min, curves)), min(map(max, curves))
    grid = sorted({x for curve in curves for x in curve if start <= x <= end})
    expected = [(x, np.mean([held(curve, x) for curve in curves])) for x in grid]
    found = list(regret_vs_cost.mean_steps([[(float(x), float(y)) for x, y in curve.items()] for curve in curves]))
    assert [x for x, _ in found] == [x for x, _ in expected]
    np.testing.assert_allclose([y for _, y in found], [y for _, y in expected])


@given(st.lists(st.floats(0, 1), max_size=10), st.floats(0.001, 0.1))
def test_names_are_moved_apart_and_stay_on_the_page(places: list[float], gap: float) -> None:
    moved = regret_vs_cost.spread(sorted(places), gap)
    assert len(moved) == len(places)
    assert all(b - a >= gap - 1e-9 for a, b in itertools.pairwise(moved))
    assert max(moved, default=0) <= 1
    if all(b - a >= gap for a, b in itertools.pairwise(sorted(places))):
        assert moved == pytest.approx(sorted(places))


def test_files_of_an_earlier_drawing_are_named_and_kept(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    made_up_run(results, "darts", 0)
    old = results.root / "figures" / "cuts-gone.png"
    old.parent.mkdir()
    old.write_bytes(b"old")
    draw_all(Options(results.root, missing=True))
    said = [line for line in capsys.readouterr().err.splitlines() if "drawn earlier" in line]
    assert said == [f"missing: records of files drawn earlier (1, such as {old}); move those files away"]
    assert old.read_bytes() == b"old"
    old.rename(results.root / "cuts-gone.png")
    draw_all(Options(results.root, missing=True))
    assert "drawn earlier" not in capsys.readouterr().err


def test_the_random_baseline_is_that_of_all_architectures_and_of_no_draw(results: Results) -> None:
    made_up_run(results, "random", 0, test=94.0, images=(0, 0), random_mean=80.0, optimum=95.0)
    made_up_run(results, "darts", 0, test=90.0, random_mean=80.0, optimum=95.0)
    draw_tables(results)
    said = "patches test 80.00 %, regret 15.00 points"
    assert said in written(results, "main-", ".md").read_text()
    data = regret_vs_cost.prepare(load(results).frame, results)
    assert data.loc[data["label"] == "random", "regret"].tolist() == [15.0]


def test_searches_on_a_table_are_not_said_to_be_free(results: Results) -> None:
    for seed in range(2):
        made_up_run(results, "NASLib LocalSearch", seed, images=(0, 0), details={"architectures_asked_for": 86 + seed})
    draw_tables(results)
    assert "NASLib LocalSearch: 86" in written(results, "main-", ".md").read_text()


def test_one_seed_is_drawn_without_an_interval(results: Results) -> None:
    made_up_run(results, "darts", 0, tau=0.5, curve=[(1_000, 9.0)], pairs=some_pairs(12, 0))
    assert draw_all(Options(results.root)) == 0
    assert cells(table(results)[0])["DARTS"]["test (%)"] == "90.00"
    data = pd.read_csv(written(results, "regret_vs_cost", ".csv"))
    assert data["low"].isna().all()


def test_baselines_and_a_regret_of_zero_are_drawn(results: Results) -> None:
    for seed in range(3):
        made_up_run(results, "random", seed, test=BEST - 40 * seed, images=(0, 0))
    made_up_run(results, "darts", 0, test=BEST)
    drawn = regret_vs_cost.draw(load(results).frame, results)
    assert [path.suffix for path in drawn.paths] == [".pdf", ".png", ".csv", ".md"]


# Style


def test_looks_differ_inside_a_panel_and_new_ones_hang_on_the_label_alone() -> None:
    known = [
        style.look(label) for label in ("rsps", "darts", "darts-2nd", "snas", "fewshot", "gm-darts", "hep", "fade")
    ]
    assert len({look.marker for look in known}) == len(known)
    assert len({(look.colour, look.dash) for look in known}) == len(known)
    new = style.look("undecided")
    assert (new, style.look("darts(epochs=10)").name) == (style.look("undecided"), "DARTS (epochs=10)")
    assert new.name == "undecided"


def test_printed_names_and_order() -> None:
    labels = [
        "gm-snas(protocol=fair)",
        "new",
        "fade",
        "gm-snas",
        "snas",
        "random-best-of-10",
        "darts-2nd",
        "random-best-of-2",
        "largest",
        "gm-snas(final=3, protocol=fair)",
        "rsps",
        "darts",
        "random",
    ]
    assert [style.printed(label) for label in sorted(labels, key=style.order)] == [
        "Random", "Largest", "Random best of 2", "Random best of 10", "RSPS", "DARTS", "DARTS 2nd order", "SNAS",
        "GM-NAS, SNAS", "GM-NAS, SNAS, fair (final=3)", "GM-NAS, SNAS, fair", "FaDE", "new",
    ]  # fmt: skip


# What is never mixed


def test_scales_and_truths_stand_in_files_of_their_own(results: Results) -> None:
    for scale, test in ((SMALL, 80.0), (SCALES["quick"], 90.0)):
        for truth, checksum in (("one", "aa"), ("two", "bb")):
            made_up_run(results, "random", 0, test=test, scale=scale, truth=truth, checksum=checksum, images=(0, 0))
    draw_tables(results)
    tables = {path.stem: pd.read_csv(path) for path in (results.root / "tables").glob("*.csv")}
    assert set(tables) == {f"main-nb201-patches-{s}-{t}" for s in ("small", "quick") for t in ("one", "two")}
    for name, data in tables.items():
        assert data.loc[data["quantity"] == "test", "mean"].tolist() == [80.0 if "small" in name else 90.0]
    panels = list(loading.settings(load(results).frame, by_target=True))
    assert len(panels) == len({setting.slug for setting, _ in panels}) == 4
    assert all(set(rows["scale"]) == {setting.scale} for setting, rows in panels)


def _edit(path: Path, **fields: Any) -> None:
    edited.edit(path, lambda row: row.update(fields), "without")


def _other_schema(results: Results) -> None:
    key = made_up_run(results, "darts", 0)
    _edit(results.score_path(key, "table"), schema=0)


def _other_kind(results: Results) -> None:
    key = made_up_run(results, "darts", 0)
    _edit(results.score_path(key, "table"), kind="guessed")


def _unscored(results: Results) -> None:
    made_up_run(results, "darts", 0)
    made_up_run(results, "darts", 1, scored=False)


def _two_truths(results: Results) -> None:
    made_up_run(results, "darts", 0, checksum="aaaa")
    made_up_run(results, "darts", 1, checksum="bbbb")


def _nan(results: Results) -> None:
    key = made_up_run(results, "darts", 0)
    _edit(results.score_path(key, "table"), tau=float("nan"))


def _nan_in_curve(results: Results) -> None:
    key = made_up_run(results, "darts", 0)
    _edit(
        results.score_path(key, "table"),
        curve=[{"forward_images": 1, "backward_images": 1, "regret_test": float("inf")}],
    )


def _two_scales(results: Results) -> None:
    made_up_run(results, "darts", 0)
    made_up_run(results, "darts", 1, scale=Scale(**{**plain(SMALL), "channels": 9}))


def _two_methods(results: Results) -> None:
    made_up_run(results, "darts", 0, config={"training": {"epochs": 50}})
    made_up_run(results, "darts", 1, config={"training": {"epochs": 60}})


def _two_image_sets(results: Results) -> None:
    for seed, digest in enumerate(("aaaa", "bbbb")):
        key = made_up_run(results, "darts", seed)
        edited.edit(results.run_path(key), lambda r, digest=digest: r["place"].update(images_digest=digest), "anew")


def _no_record(results: Results) -> None:
    key = made_up_run(results, "darts", 0)
    results.run_path(key).unlink()


def _twice(results: Results) -> None:
    made_up_run(results, "darts", 0, targets=("patches", "patches"))


def _no_cost(results: Results) -> None:
    key = made_up_run(results, "darts", 0)
    _edit(results.score_path(key, "table"), cost={})


def _curve_without_cost(results: Results) -> None:
    key = made_up_run(results, "darts", 0)
    _edit(results.score_path(key, "table"), curve=[{"regret_test": 1.0}])


def _bad_pairs(results: Results) -> None:
    key = made_up_run(results, "darts", 0, tau=0.5, pairs=some_pairs(20, 0))
    results.estimates_path(key).write_bytes(b"PAR1")


def _bad_truths(results: Results) -> None:
    made_up_run(results, "darts", 0, tau=0.5, pairs=some_pairs(20, 0))
    results.truths_path("table", "patches").write_bytes(b"PAR1")


def _truths_of_another_table(results: Results) -> None:
    made_up_run(results, "darts", 0, tau=0.5, pairs=some_pairs(20, 0))
    results.truths_path("table", "patches").unlink()
    extend_truths(results.truths_path("table", "patches"), some_pairs(20, 0)[1], "another")


def _too_few_truths(results: Results) -> None:
    made_up_run(results, "darts", 0, tau=0.5, pairs=some_pairs(20, 0))
    results.truths_path("table", "patches").unlink()
    extend_truths(results.truths_path("table", "patches"), some_pairs(19, 0)[1], "c0ffee")


def _other_pairs(results: Results) -> None:
    key = made_up_run(results, "darts", 0, tau=0.5, pairs=some_pairs(20, 0))
    write_atomically(results.estimates_path(key), estimates_file(some_pairs(19, 0)[0]))


def _nan_in_panel(results: Results) -> None:
    key = made_up_run(results, "darts", 0)
    _edit(results.score_path(key, "table"), panel={**dict.fromkeys(DEFINITIONS), "ties": float("nan")})


def _other_panel(results: Results) -> None:
    key = made_up_run(results, "darts", 0)
    _edit(results.score_path(key, "table"), panel={**dict.fromkeys(DEFINITIONS), "tau_top33": 0.5})


def _first_schema(results: Results) -> None:
    key = made_up_run(results, "darts", 0)
    _edit(results.score_path(key, "table"), schema=1)


def _nothing(results: Results) -> None:
    pass


def _nothing_scored(results: Results) -> None:
    made_up_run(results, "darts", 0, scored=False)


FAULTS: list[tuple[Callable[[Results], None], str]] = [
    (
        _nothing,
        r"no scores; start with `python -m bench run smoke --results (.*)`, then `python -m bench score --results \1`",
    ),
    (
        _nothing_scored,
        r"1 record waits for `python -m bench score --results .*`",
    ),
    (_other_kind, r"Invalid enum value 'guessed' - at \$\.kind"),
    (_other_schema, r"it has schema 0, this version reads 5\); `python -m bench score --results .*` makes it anew"),
    (
        _unscored,
        r"darts seed 1 \(runs/.*\.json\) has no score by table/patches; run `python -m bench score .*--partial",
    ),
    (_two_truths, r"two truths mixed: table on patches has checksums (aaaa.*bbbb|bbbb.*aaaa)"),
    (_nan, r"NaN is not a finite number\); `python -m bench score --results .*` makes it anew"),
    (_nan_in_panel, r"NaN is not a finite number\); `python -m bench score --results .*` makes it anew"),
    (_other_panel, r"the panel lacks, or alone has, tau_top33; run `python -m bench score --results .*` again"),
    (_first_schema, r"it has schema 1, this version reads 5\); `python -m bench score --results .*` makes it anew"),
    (_nan_in_curve, r"Infinity is not a finite number"),
    (_two_scales, r"two scales mixed: 'small' on nb201/patches differs in channels"),
    (_two_methods, r"two methods mixed: label 'darts' differs in config\.training\.epochs"),
    (_two_image_sets, r"two sets of images mixed: patches at scale small was aaaa in run"),
    (_no_record, r"has no record"),
    (_twice, r"scores target patches twice"),
    (_no_cost, r"Object missing required field forward_images - at \$\.cost"),
    (_curve_without_cost, r"Object missing required field forward_images - at \$\.curve\[0\]"),
    (_bad_pairs, r"cannot read the estimates"),
    (_other_pairs, r"makes 19 pairs, the score says 20"),
    (_bad_truths, r"holds no truths"),
    (
        _truths_of_another_table,
        r"is of the truth another, a score of c0ffee; run `python -m bench score --results .*` again",
    ),
    (_too_few_truths, r"lacks architecture 19; run `python -m bench score --results .*` again"),
]


@pytest.mark.parametrize(("make", "message"), FAULTS, ids=[message[:30] for _, message in FAULTS])
def test_what_cannot_be_trusted_is_refused_in_one_line(
    results: Results, make: Callable[[Results], None], message: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    make(results)
    monkeypatch.setattr(sys, "argv", ["analysis", "--results", str(results.root)])
    assert main() in (1, 2)
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith(("error: ", "skipped: ", "missing: ")) for line in lines)
    assert re.search(message, "\n".join(lines))


@pytest.mark.parametrize("make", [_two_scales, _two_methods, _two_image_sets])
def test_what_is_mixed_is_parted_by_the_command_that_is_named(
    results: Results, make: Callable[[Results], None]
) -> None:
    """Of runs that differ in what they must have in common, those unlike most are set aside."""
    make(results)
    with pytest.raises(BadRecord, match="mixed") as caught:
        load(results)
    (remedy,) = re.findall(r"`python -m bench ([^`]*)`", str(caught.value))
    assert bench_main(shlex.split(remedy)) == 0
    assert len(load(results).frame) == 1


def test_partial_draws_what_there_is_and_names_the_rest(study: Results, capsys: pytest.CaptureFixture[str]) -> None:
    made_up_run(study, "darts", 7, scored=False)
    made_up_run(study, "snas", 0, status="failed", scored=False)
    with pytest.raises(BadRecord, match="--partial"):
        load(study)
    assert draw_all(Options(study.root, partial=True)) == 0
    error = capsys.readouterr().err  # what records lack comes first
    assert "darts seed 7" in error
    assert "1 failed or interrupted (snas seed 0); `python -m bench run --results" in error


def test_a_truth_that_scored_only_some_is_noticed(results: Results) -> None:
    for seed in range(2):
        made_up_run(results, "darts", seed)
    made_up_run(results, "darts", 0, truth="other")
    with pytest.raises(BadRecord, match=r"darts seed 1 .* has no score by other/patches"):
        load(results)


def test_a_failed_run_is_counted_and_never_averaged(results: Results) -> None:
    for seed in range(3):
        made_up_run(results, "darts", seed, test=90.0 + seed)
    made_up_run(results, "darts", 3, status="failed", scored=False)
    made_up_run(results, "snas", 0, status="interrupted", scored=False)
    made_up_run(results, "snas", 1, status="failed", scored=False, dataset="cifar10-jpeg")  # of another setting
    frame = load(results).frame
    darts = frame[frame["label"] == "darts"]
    assert (stats.count(darts, "done"), stats.count(darts, "failed")) == (3, 1)
    assert stats.mean_of(darts["test"]).mean == 91
    assert sorted(stats.done(darts)["test"]) == [90, 91, 92]
    assert set(frame["label"]) == {"darts", "snas"}
    assert set(frame["dataset"]) == {"patches"}
    made_up_run(results, "darts", 3, test=80.0)  # tried again, and done: the old failure no longer counts
    assert stats.count(load(results).frame, "failed") == 0


def test_protocols_and_base_names_come_from_the_record(results: Results) -> None:
    made_up_run(results, "gm-darts", 0, config={"protocol": "paper"})
    made_up_run(results, "gm-darts(protocol=fair)", 0, config={"protocol": "fair"})
    made_up_run(results, "rsps", 0)
    frame = load(results).frame.set_index("label")
    assert frame["protocol"].to_dict() == {"gm-darts": "paper", "gm-darts(protocol=fair)": "fair", "rsps": "both"}
    assert set(frame["base"]) == {"gm-darts", "rsps"}
    assert loading.base_of("gm-darts(epochs=9, protocol=fair)") == "gm-darts(epochs=9)"
    assert loading.base_of("gm-darts(epochs=9)") == "gm-darts(epochs=9)"


def test_missing_runs_are_named_with_the_study_that_makes_them(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(missing.STUDIES, "small", Study("small", "of three seeds", "patches", "quick"))
    for seed in (0, 1, 2):
        made_up_run(results, "random", seed, scale=SCALES["quick"])
    made_up_run(results, "gm-darts(protocol=fair)", 0, scale=SCALES["quick"])
    made_up_run(results, "gm-darts(protocol=fair)", 2, scale=SCALES["quick"], status="diverged", test=None)
    made_up_run(results, "gm-darts(protocol=fair)", 3, scale=SCALES["quick"], status="failed", scored=False)
    ((setting, rows),) = loading.settings(load(results).frame, by_target=False)
    found = missing.progress(setting, rows, ("random", "gm-darts(protocol=fair)"))
    assert found is not None
    assert found.mark == "5 of 10 runs of study nb201-partition"
    assert found.commands == (
        "python -m bench run nb201-partition --methods random --seeds 3 4",
        "python -m bench run nb201-partition --methods 'gm-darts(protocol=fair)' --seeds 1 3 4",
    )
    only = missing.progress(setting, rows[rows["label"] == "random"], ("random",))
    assert only is not None
    assert (only.study.name, only.mark, only.commands) == ("small", "", ())  # the smaller study is whole
    assert missing.progress(setting, rows, ("of no study",)) is None
    beside = missing.progress(setting, rows[rows["label"] == "random"], ("random", "of no study", "another"))
    assert beside is not None  # those that no study makes are not counted among the study's runs
    assert (beside.made, beside.wanted, beside.mark) == (3, 3, "")
    assert beside.further == "2 further methods that it could show belong to no study of this image set"
    assert beside.commands == ("python -m bench run small --methods 'of no study' another --seeds 0 1 2",)


def test_nothing_is_imported_that_searches_or_knows_the_truth() -> None:
    code = (
        "import sys, analysis.__main__, analysis.drawings as a; list(a.drawings()); "
        "bad = {'torch', 'methods', 'ray'} & {m.split('.')[0] for m in sys.modules}; "
        "walled = tuple(f'bench.{m}' for m in 'truth scoring.score nets images search runs.run runs.pool'.split()); "
        "print(sorted(bad), [m for m in sys.modules if m.startswith(walled)])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[] []", done.stderr


@pytest.mark.slow
def test_equal_results_give_equal_bytes(study: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every file, whether drawn here or from the command line in two processes, and whatever a user's own settings
    of matplotlib are."""
    there = tmp_path / "there"
    shutil.copytree(study.root, there / "results")
    words = [sys.executable, "-m", "analysis", "--workers", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=there, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    here = tmp_path / "here"
    shutil.copytree(study.root, here / "results")
    monkeypatch.chdir(here)
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 30.0)
    monkeypatch.setitem(matplotlib.rcParams, "axes.facecolor", "red")
    draw_all(Options())
    assert matplotlib.rcParams["font.size"] == 30.0
    drawn = [
        {path.relative_to(place): path.read_bytes() for path in place.rglob("*") if path.is_file()}
        for place in (here, there)
    ]
    assert drawn[0] == drawn[1]
    assert {path.suffix for path in drawn[0]} == {".md", ".tex", ".csv", ".pdf", ".png", ".html", ".json", ".parquet"}
    assert not any(b"CreationDate" in content for content in drawn[0].values())
