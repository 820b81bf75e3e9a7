"""The data sheet's rows against the same numbers taken another way, on a made-up table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from analysis.figures import embedded_ranks
from bench.errors import BadRecord
from bench.spaces.nb201 import SPACE
from bench.store.record import Results
from bench.truth.column import Column
from bench.truth.plan import trained_instead
from bench.truth.sheet import LARGEST, Arguments, largest, main, measures, ranks
from bench.truth.table import Header, Table
from bench.truth.tabular import TableTruth


def _table(known: int) -> Table:
    """The first `known` cells (and their classes) with two seeds of noisy accuracies."""
    rng = np.random.default_rng(0)
    instead = trained_instead(SPACE)
    held = np.isin(instead, np.unique(instead[:known]))
    base = rng.normal(80, 5, SPACE.size)[instead]
    columns = {}
    for seed in ("0", "1"):
        noise = rng.normal(0, 1, SPACE.size)[instead]
        for metric, values in (("accuracy", base + noise), ("cross_entropy", (100 - base - noise) / 50)):
            columns[Column(metric, "patches", "test", 1, seed)] = np.where(held, values, np.nan)
        columns[Column("train_seconds", "patches", "train", 1, seed)] = np.where(held, 1800.0, np.nan)
    counts = {name: np.arange(SPACE.size) for name in ("parameters", "multiply_adds")}
    return Table(Header("made-up", "1", "nb201", "for tests", "tests", False), columns, counts)


def test_rows_against_a_second_way() -> None:
    table = _table(2_000)
    rows = dict(measures(table, None))
    accuracy = [table.column(dataset="patches", split="test", epochs=1, seeds=s) for s in ("0", "1")]
    held = np.isfinite(accuracy[0])
    assert rows["cells"] == held.sum()
    classes = len(np.unique(trained_instead(SPACE)[held]))
    assert rows["classes trained"] == classes
    assert rows["CPU hours"] == pytest.approx(classes * 2 * 0.5)  # half an hour per class and seed
    expected = kendalltau(accuracy[0][held], accuracy[1][held]).statistic
    assert rows["tau of one seed with another, accuracy, all"] == pytest.approx(expected)
    assert rows["tau of one seed with another, cross-entropy, all"] == pytest.approx(expected)
    reliability = np.sin(np.pi / 2 * expected)
    assert rows["tau expected of means of 2 seeds, accuracy, all"] == pytest.approx(
        2 / np.pi * np.arcsin(2 * reliability / (1 + reliability))
    )
    mean = np.mean(accuracy, axis=0)[held]
    assert rows["tau with parameters"] == pytest.approx(kendalltau(mean, np.flatnonzero(held)).statistic)
    assert rows["test accuracy, quantile 0.5 (%)"] == pytest.approx(np.median(mean))


def test_the_command_writes_both_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "table.parquet"
    _table(300).save(path)
    assert main(Arguments(table=str(path), out=tmp_path / "sheet")) == 0
    printed = capsys.readouterr().out
    assert "| cells " in printed
    assert (tmp_path / "sheet" / "sheet.csv").read_text().startswith("measure,value\n")
    assert "made-up" in (tmp_path / "sheet" / "sheet.md").read_text()


def test_ranks_of_both_tables_stand_side_by_side(tmp_path: Path) -> None:
    table, rng = _table(300), np.random.default_rng(1)
    real = rng.normal(90, 2, SPACE.size).astype(np.float32)
    column = Column("accuracy", "cifar10", "ori-test", 200, "mean")
    official = TableTruth(
        Table(Header("made-up official", "1", "nb201", "for tests", "tests", True), {column: real}, {})
    )
    lines = ranks(table, official).splitlines()
    assert lines[0] == "position,embedded,cifar10"
    rows = [[float(value) for value in line.split(",")] for line in lines[1:]]
    ours = table.column(dataset="patches", split="test", epochs=1, seeds="mean")
    known = [int(p) for p in np.flatnonzero(np.isfinite(ours))]
    assert [row[0] for row in rows] == known
    for position, embedded, cifar10 in rows[::37]:
        better = sum(ours[k] > ours[int(position)] for k in known)
        equal = sum(ours[k] == ours[int(position)] for k in known)
        assert embedded == better + (equal + 1) / 2
        assert cifar10 == 1 + sum(real[k] > real[int(position)] for k in known)


def test_the_classes_of_most_cells_are_counted_by_hand() -> None:
    """One class, by its definition: a single 3x3 convolution between input and output, on whichever way."""
    instead, rng = trained_instead(SPACE), np.random.default_rng(3)
    ours = rng.normal(90, 1, SPACE.size)[instead]
    theirs = rng.normal(90, 1, SPACE.size)
    table = Table(
        Header("made-up", "1", "nb201", "for tests", "tests", True),
        {Column("accuracy", "patches", "test", 1, "0"): ours},
        {},
    )
    columns = {Column("accuracy", "cifar10", "ori-test", 200, "mean"): theirs}
    official = TableTruth(Table(Header("official", "1", "nb201", "for tests", "tests", True), columns, {}))
    found = largest(table, official).set_index("cell")
    assert len(found) == LARGEST
    assert found["cells"].is_monotonic_decreasing
    cell = "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"
    wanted = SPACE.trained_class(SPACE.parse(cell))
    members = [SPACE.population.row(g) for g in SPACE.population if SPACE.trained_class(g) == wanted]
    row = found.loc[cell]
    assert row["cells"] == len(members)
    mine = table.column(dataset="patches", split="test", epochs=1, seeds="mean")
    better, equal = (mine > mine[members[0]]).sum(), (mine == mine[members[0]]).sum()
    assert row["rank"] == better + (equal + 1) / 2
    real = np.float32(theirs)
    assert row["cifar10 (%)"] == pytest.approx(real[members].mean())
    ranked = [(real > real[m]).sum() + ((real == real[m]).sum() + 1) / 2 for m in members]
    assert row["cifar10 rank"] == pytest.approx(np.mean(ranked))


def test_the_figure_shows_the_ranks_and_their_tau(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    order = rng.permutation(500)
    noisy = np.argsort(np.argsort(order + rng.normal(0, 80, 500)))
    made = pd.DataFrame({"position": np.arange(500), "embedded": order + 1.0, "cifar10": noisy + 1.0})
    (tmp_path / "embedded").mkdir()
    made.to_csv(tmp_path / "embedded" / "ranks.csv", index=False)
    drawn = embedded_ranks.draw(pd.DataFrame(), Results(tmp_path))
    assert not drawn.missing
    assert {path.suffix for path in drawn.paths} == {".pdf", ".png", ".csv", ".md"}
    expected = kendalltau(order, noisy).statistic
    assert f"{expected:.3f}" in (tmp_path / "figures" / "embedded_ranks.md").read_text()
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "figures" / "embedded_ranks.csv"), made, check_dtype=False)
    trend = embedded_ranks.quartiles(made)
    first = made.sort_values("embedded").head(50)["cifar10"]
    assert trend["cifar10"].iloc[0] == first.mean()
    assert trend["high"].iloc[0] == first.quantile(0.75)


def test_without_ranks_the_figure_says_what_makes_them(tmp_path: Path) -> None:
    assert "bench.truth.sheet --official" in embedded_ranks.draw(pd.DataFrame(), Results(tmp_path)).missing[0]
    (tmp_path / "embedded").mkdir()
    for content in ("", "a,b\n1,2\n", "position,embedded,cifar10\n1,2,\n3,x,4\n"):
        (tmp_path / "embedded" / "ranks.csv").write_text(content)
        with pytest.raises(BadRecord, match="is no table of ranks"):
            embedded_ranks.draw(pd.DataFrame(), Results(tmp_path))
