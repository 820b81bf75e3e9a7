"""The data sheet's rows against the same numbers taken another way, on a made-up table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from bench.spaces.nb201 import SPACE
from bench.truth.column import Column
from bench.truth.plan import trained_instead
from bench.truth.sheet import Arguments, main, measures
from bench.truth.table import Header, Table


def _table(known: int) -> Table:
    """The first `known` cells (and their classes) with two seeds of noisy accuracies."""
    rng = np.random.default_rng(0)
    instead = trained_instead()
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
    classes = len(np.unique(trained_instead()[held]))
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
