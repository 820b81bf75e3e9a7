"""Published numbers recomputed from released data, and our own tables recomputed from the committed results.

The hand counts below use plain Python on score files: no pandas, none of the code that makes tables. They show that the
committed numbers are right and fail where one is not; that the code still gives these numbers is shown by the tests
that score committed records and draw committed tables again. Scores by the embedded table are not committed: the
fixture `everything` makes them.
"""

from __future__ import annotations

import functools
import gzip
import io
import itertools
import json
import math
import re
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.stats import ttest_1samp

from analysis import generated, published, stats
from analysis.load import Setting, load, settings
from analysis.output import csv_text
from analysis.pairs import joined, sides
from analysis.style import printed as printed_name
from analysis.tables import ablations, claims, cost, fade, gains, nb201, protocol, ranking, selection
from analysis.tables import main as main_table
from analysis.tables.columns import Column
from bench import metrics
from bench.folders import data_folder
from bench.scoring.panel import DEFINITIONS
from bench.scoring.score import score
from bench.spaces.nb201 import SPACE
from bench.store.record import Results
from bench.truth import GroundTruth, open_truth
from bench.truth.convert import convert

RESULTS = Path(__file__).parent.parent / "results"
TESTS = {"cifar10": "c10_test_200", "cifar100": "c100_test_200", "imagenet16-120": "in16_test_200"}


def released(name: str) -> pd.DataFrame:
    path: Path = data_folder() / name
    if not path.exists():
        pytest.skip(f"needs {path} (set SUPERNET_BENCH_DATA)")
    with gzip.open(path) as stream:
        return pd.read_csv(io.BytesIO(stream.read()))


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """The extract of NAS-Bench-201, by official string."""
    return released("nb201.csv.gz").set_index("arch")


def printed(name: str, target: str, quantity: str = "test") -> published.Published:
    """The only published number of that name that was found."""
    found = [p for p in published.published() if (p.name, p.target, p.quantity) == (name, target, quantity)]
    (number,) = [p for p in found if p.value is not None]
    return number


# Published numbers


@pytest.mark.reproducibility
@pytest.mark.parametrize(
    ("target", "optimum"), [("cifar10", 94.3733), ("cifar100", 73.5133), ("imagenet16-120", 47.3111)]
)
def test_the_optimum_of_the_table_is_the_published_one(table: pd.DataFrame, target: str, optimum: float) -> None:
    best = float(table[TESTS[target]].max())
    assert best == pytest.approx(optimum, abs=5e-5)
    assert printed("optimal", target).text == f"{best:.2f}"


@pytest.mark.reproducibility
@pytest.mark.parametrize("target", TESTS)
def test_published_darts_is_the_cell_of_skips_alone(table: pd.DataFrame, target: str) -> None:
    """DARTS of both orders and ENAS end in one cell in every published run: no spread, and the table has it."""
    skips = SPACE.show((SPACE.skip,) * 6)
    for name in ("DARTS-V1", "DARTS-V2", "ENAS"):
        assert printed(name, target).text == f"{table.loc[skips, TESTS[target]]:.2f} ± 0.00"


@pytest.mark.reproducibility
def test_the_published_choice_of_drnas_is_one_cell_of_the_table(table: pd.DataFrame) -> None:
    same = np.ones(len(table), dtype=bool)
    for target, column in TESTS.items():
        same &= np.isclose(table[column], printed("DrNAS", target).value, atol=0.0051)  # type: ignore[arg-type]
    assert same.sum() == 1


@pytest.mark.reproducibility
def test_the_logged_choice_of_hep_nas_is_cell_8733(table: pd.DataFrame) -> None:
    cell = table.loc[SPACE.show(SPACE.from_index(8733))]
    assert cell["index"] == 8733
    assert printed("HEP-NAS cell 8733", "cifar10").value == pytest.approx(cell["c10_test_200"], abs=0.0051)


@pytest.mark.reproducibility
@pytest.mark.parametrize("target", TESTS)
def test_the_published_random_row_is_the_mean_cell_of_the_table(table: pd.DataFrame, target: str) -> None:
    """Up to the luck of its 500 draws, and its spread is that of the table within a tenth."""
    random, all_ = printed("Random", target), table[TESTS[target]]
    assert random.value is not None
    assert random.std is not None
    assert abs(random.value - all_.mean()) < 3 * all_.std() / np.sqrt(500)
    assert random.std == pytest.approx(all_.std(), rel=0.1)


MEASURES: dict[str, Callable[[Any, Any], float]] = {
    "tau": metrics.tau_b,
    "spearman": metrics.spearman,
    "tau_top10": lambda e, t: metrics.tau_top(e, t, 0.1),
    "tau_top1": lambda e, t: metrics.tau_top(e, t, 0.01),
}


@pytest.mark.reproducibility
@pytest.mark.parametrize("quantity", MEASURES)
@pytest.mark.parametrize(("name", "column"), [("one-shot", "oneshot_acc"), ("few-shot (5 supernets)", "fewshot_acc")])
def test_what_was_computed_from_the_authors_files_is_computed_again(name: str, column: str, quantity: str) -> None:
    data = released("fewshot_supernet_nb201.csv.gz")
    (told,) = [
        p for p in published.published()
        if (p.name, p.quantity, p.where) == (name, quantity, "supernet estimate files")
    ]  # fmt: skip
    assert told.confidence == "computed by us from author-released files"
    found = MEASURES[quantity](data[column].to_numpy(), data["nb201_test_acc"].to_numpy())
    # Of cells that tie with the last of the top, the earlier count kept some; ours keeps all.
    assert found == pytest.approx(told.value, abs=5.1e-3 if "top" in quantity else 5.1e-4)


@pytest.mark.reproducibility
def test_the_authors_truth_is_that_of_the_table_up_to_the_seeds_it_averages(table: pd.DataFrame) -> None:
    """13,266 of 15,625 cells are equal to the last printed digit; the others are means over other seeds of the same
    trainings, and move no rank by much."""
    data = released("fewshot_supernet_nb201.csv.gz").set_index("arch")
    both = table["c10_test_200"].to_frame("ours").join(data["nb201_test_acc"], how="inner")
    assert len(both) == 15_625
    assert ((both["ours"] - both["nb201_test_acc"]).abs() < 0.0051).sum() == 13_266
    assert metrics.tau_b(both["ours"], both["nb201_test_acc"]) > 0.98


@pytest.mark.reproducibility
def test_random_best_of_n_needs_no_search(table: pd.DataFrame) -> None:
    """A simulation of a million draws said 86.93, 91.23, …: the exact values, and where published searches stand."""
    exact = {n: metrics.random_best_of_n(table["c10_test_200"], n) for n in (1, 2, 4, 8, 16, 64)}
    assert [round(exact[n], 2) for n in (4, 8, 16, 64)] == [92.43, 92.97, 93.31, 93.75]
    assert exact[1] == pytest.approx(table["c10_test_200"].mean())
    gdas = printed("GDAS", "cifar10").value
    assert gdas is not None
    assert exact[16] < gdas < exact[64]


# Our tables, from the committed results


def rows_in(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of scores, of this layout or the one without a seal."""
    content = json.loads(path.read_text())
    rows: list[dict[str, Any]] = content["rows"] if isinstance(content, dict) else content
    return rows


@functools.cache
def scores(root: Path = RESULTS, truth: str = "nb201-extract") -> list[dict[str, Any]]:
    """The rows of all scores by a truth, read as plain JSON; by default the committed ones."""
    paths = sorted((root / "scores").glob(f"*.{truth}.json"))
    return [row for path in paths for row in rows_in(path)]


Pick = Callable[[dict[str, Any]], float | None]


def by_seed(rows: list[dict[str, Any]], label: str, dataset: str, target: str, pick: Pick) -> dict[int, float]:
    found = {}
    for row in rows:
        if (row["label"], row["dataset"], row["target"], row["status"]) == (label, dataset, target, "done"):
            value = pick(row)
            if value is not None:
                found[row["seed"]] = value
    return found


def cell_of(head: str, label: str, column: str) -> str:
    """A cell of a committed Markdown table: of the grid whose title begins with `head`, file and grid parted by `:`."""
    name, title = head.split(": ")
    (path,) = (RESULTS / "tables").glob(name)
    lines = path.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(f"**{title}"))
    split = [[part.strip() for part in line.strip("|").split("|")] for line in lines[at + 2 :]]
    heads = split[0]
    row = next(cells for cells in split[2:] if cells[0] == label)
    return row[heads.index(column)]


def by_hand(values: list[float]) -> tuple[float, float, float]:
    """Mean and 95 % bootstrap interval over all equally likely resamples, no random number among them."""
    means = sorted(statistics.fmean(draw) for draw in itertools.product(values, repeat=len(values)))
    return statistics.fmean(values), means[int(0.025 * len(means))], means[-1 - int(0.025 * len(means))]


def half_width(values: list[float]) -> float:
    """Of Student's 95 % interval of their mean, by the textbook formula and its table of t by degrees of freedom."""
    t = {2: 4.302653, 3: 3.182446, 4: 2.776445, 5: 2.570582, 6: 2.446912, 7: 2.364624, 8: 2.306004, 9: 2.262157}
    return t[len(values) - 1] * statistics.stdev(values) / math.sqrt(len(values))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("head", "label", "column", "pick", "digits"),
    [
        ("Choice, patches", "DARTS", "test (%)", lambda row: row["test"], 2),
        ("Choice, patches", "SNAS", "regret (points)", lambda row: row["regret_test"], 2),
        ("Ranking, patches", "RSPS", "tau", lambda row: row["tau"], 3),
    ],
)
def test_three_cells_of_the_main_table_by_hand(
    everything: Results, head: str, label: str, column: str, pick: Pick, digits: int
) -> None:
    """Of the committed table, from the scores; no table is drawn."""
    rows = scores(everything.root, "patches-v1")
    values = list(by_seed(rows, label.lower(), "patches", "patches", pick).values())
    assert 3 <= len(values) <= 7  # the resamples are 7^7 then
    told = cell_of(f"main-nb201-patches-quick-*.md: {head}", label, column)
    found = re.fullmatch(r"(-?[\d.]+) \[(-?[\d.]+), (-?[\d.]+)\]", told)
    assert found
    mean, low, high = by_hand(values)
    assert found[1] == f"{mean:.{digits}f}"
    step = (max(values) - min(values)) / len(values)  # resampled means lie about this far apart
    assert float(found[2]) == pytest.approx(low, abs=step / 5 + 0.5 * 10**-digits)
    assert float(found[3]) == pytest.approx(high, abs=step / 5 + 0.5 * 10**-digits)


def numbers_of(value: Any, at: str = "") -> dict[str, Any]:
    """Every number and word of a JSON value under the path that leads to it."""
    if not isinstance(value, dict | list):
        return {at: value}
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return {path: leaf for name, part in inner for path, leaf in numbers_of(part, f"{at}/{name}").items()}


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> GroundTruth:
    """The extract as a truth."""
    path: Path = data_folder() / "nb201.csv.gz"
    if not path.exists():
        pytest.skip(f"needs {path} (set SUPERNET_BENCH_DATA)")
    converted = tmp_path_factory.mktemp("official") / "nb201.parquet"
    convert(path, converted)
    return open_truth(converted)


@pytest.mark.reproducibility
@pytest.mark.parametrize("label", ["rsps", "hep(protocol=fair)"])
def test_a_committed_record_is_scored_as_it_was(official: GroundTruth, label: str, tmp_path: Path) -> None:
    """Every number of the score, and every column of the pairs."""
    old, new = Results(RESULTS), Results(tmp_path)
    key = next(row["key"] for row in scores() if (row["label"], row["seed"]) == (label, 0))
    record = old.find(key)
    assert record is not None
    new.estimates_path(key).parent.mkdir(parents=True)
    shutil.copy(old.estimates_path(key), new.estimates_path(key))
    score(record, official, new)
    ours, theirs = (numbers_of(rows_in(r.score_path(key, official.name))) for r in (new, old))
    assert ours.keys() == theirs.keys()
    told = {at: pytest.approx(value, rel=1e-9) if isinstance(value, float) else value for at, value in theirs.items()}
    assert not [at for at, value in told.items() if ours[at] != value]
    named = (key, official.name, "cifar10", official.checksum)
    ours, theirs = (joined(sides(r, *named)).to_dict("list") for r in (new, old))
    assert ours.keys() == theirs.keys()
    for column, values in theirs.items():
        assert ours[column] == pytest.approx(values, nan_ok=True), column


def test_regret_and_rank_of_the_committed_choices_by_hand() -> None:
    """Regret from the optimum that a row names; the rank leaves room for the cells of the probe that are better and
    for those that are not; and where the probe holds the choice, both tell one accuracy of it."""
    found = 0
    for row in scores():
        if row["status"] != "done" or row["test"] is None:
            continue
        assert row["regret_test"] == pytest.approx(row["panel"]["optimum"] - row["test"], abs=1e-9)
        tests = [c["test"] for c in row["candidates"]]
        assert row["test_best_candidate"] == (None if None in tests else max(tests))
        pairs = {} if row["pairs"] is None else pairs_of(row)
        own = pairs.get(SPACE.population.row(SPACE.parse(row["architecture"])))
        found += own is not None
        assert own is None or own[1] == pytest.approx(row["test"], abs=1e-5)
        better = sum(test > row["test"] + 1e-5 for _, test in pairs.values())
        assert 1 + better <= row["rank"] <= row["ranked"] - sum(test < row["test"] - 1e-5 for _, test in pairs.values())
    assert found, "no probe holds the choice of its run"


def test_regret_and_rank_of_the_best_estimate_by_hand_from_the_committed_pairs() -> None:
    """What trusting the best estimate of the probe costs; where several are best, the mean over them. Accuracies that
    differ by rounding only are equal in the pairs, which are in single precision, and may be of any order among each
    other."""
    rows = [row for row in scores() if row["pairs"] is not None]
    assert rows
    for row in rows:
        known = [pair for pair in pairs_of(row).values() if not any(map(math.isnan, pair))]
        assert row["probe_n"] == len(known)
        most = max(estimate for estimate, _ in known)
        first = [test for estimate, test in known if estimate == most]
        regret = max(test for _, test in known) - statistics.fmean(first)
        assert row["panel"]["regret_probe"] == pytest.approx(regret, abs=1e-4)
        better = statistics.fmean(sum(other > test for _, other in known) for test in first)
        as_good = statistics.fmean(sum(other >= test for _, other in known) for test in first)
        assert 1 + better <= row["panel"]["best_rank_1"] + 1e-6
        assert row["panel"]["best_rank_1"] - 1e-6 <= as_good


def pairs_of(row: dict[str, Any]) -> dict[int, tuple[float, float]]:
    """The estimate [0, 1] and the test accuracy (percent) of every cell of a committed probe, by position."""
    estimates = pq.read_table(RESULTS / "estimates" / f"{row['key']}.parquet").to_pydict()
    truths = pq.read_table(RESULTS / "truths" / row["pairs"]).to_pydict()
    test = dict(zip(truths["position"], truths["test"], strict=True))
    return {at: (a, test[at]) for at, a in zip(estimates["position"], estimates["accuracy"], strict=True)}


SHEETS: dict[str, Any] = {
    module.__name__.rpartition(".")[2]: module
    for module in (nb201, gains, ranking, selection, ablations, fade, cost, protocol, claims)
}


def drawn_again(module: Any, setting: Setting, rows: pd.DataFrame, results: Results) -> pd.DataFrame:
    data: pd.DataFrame = module.sheet(setting, rows, results).data
    return data


def numbers_again(setting: Setting, rows: pd.DataFrame, _: Results) -> pd.DataFrame:
    return main_table.numbers(setting, rows)


@pytest.mark.slow
@pytest.mark.reproducibility
def test_the_committed_tables_hold_the_numbers_of_the_scores(everything: Results) -> None:
    """Drawn again they say the same: a table that was not drawn after the last score is noticed."""
    compared, stale = 0, []
    for setting, rows in settings(load(everything, partial=True).frame, by_target=False):
        makers = {name: functools.partial(drawn_again, module) for name, module in SHEETS.items()}
        for name, make in {"main": numbers_again, **makers}.items():
            path = RESULTS / "tables" / f"{name}-{setting.slug}.csv"
            if path.exists():
                compared += 1
                ours = pd.read_csv(io.StringIO(csv_text(make(setting, rows, everything))))
                stale += [] if same_numbers(ours, pd.read_csv(path)) else [path]
    assert compared > 10
    assert not stale, f"`make figures` again: {', '.join(path.name for path in stale)}"


def same_numbers(ours: pd.DataFrame, theirs: pd.DataFrame) -> bool:
    """Equal words and, up to rounding, equal numbers."""
    try:
        pd.testing.assert_frame_equal(ours, theirs, rtol=1e-7, atol=1e-9)
    except AssertionError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.reproducibility
def test_claims_on_the_committed_results_by_hand(everything: Results) -> None:
    """Every line of the committed claims tables from the scores alone: mean difference, its Student interval by the
    textbook formula, Holm's correction, and the word that follows; no table is drawn."""
    checked = 0
    for path in sorted((RESULTS / "tables").glob("claims-*.csv")):
        lines = pd.read_csv(path, keep_default_na=False).to_dict("records")
        for target, role in sorted({(str(row["target"]), str(row["role"])) for row in lines} - {("", "choice")}):
            own = [row for row in lines if (row["target"], row["role"]) == (target, role)]
            own = [row for row in own if row["quantity"] in DEFINITIONS or row["quantity"] in ("test", "tau")]
            for row in own:  # what no score holds is by hand in test_tables.py and test_judging.py
                differences = differences_of(everything, row)
                assert int(row["n"]) == len(differences)
                if len(differences) < 3 or len(set(differences)) == 1:
                    assert row["low"] == ""
                    continue
                mean, wide = statistics.fmean(differences), half_width(differences)
                assert float(row["mean"]) == pytest.approx(mean, abs=1e-8)
                assert float(row["low"]) == pytest.approx(mean - wide, abs=1e-5 + 1e-5 * wide)
                assert float(row["p_student"]) == pytest.approx(ttest_1samp(differences, 0).pvalue, abs=1e-8)
                checked += 1
            if role in ("claim", "random"):
                verdicts_follow([row for row in lines if (row["target"], row["role"]) == (target, role)])
    assert checked, "no claim of the committed results has three pairs"


def differences_of(everything: Results, row: dict[str, Any]) -> list[float]:
    """Of a line of the claims: first less second by seed, or less chance."""
    quantity = str(row["quantity"])

    def pick(score: dict[str, Any]) -> float | None:
        same = score["truth"] == row["truth"] and score["scale"] == row["scale"]
        value: float | None = {**score["panel"], **score}[quantity] if same else None
        return value

    every, where = scores(everything.root, str(row["truth"])), (str(row["dataset"]), str(row["target"]))
    first = by_seed(every, str(row["label"]), *where, pick)
    second = by_seed(every, str(row["second"]), *where, pick) if row["second"] else dict.fromkeys(first, 0.5)
    return [first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())]


def verdicts_follow(lines: list[dict[str, Any]]) -> None:
    """The verdicts of one family of claims from their own p-values and intervals, Holm's steps one by one."""
    margins = {"test": 0.2, "tau_cross_entropy": 0.02}
    left = sorted((float(row["p_student"]), at) for at, row in enumerate(lines) if row["p_student"])
    rejected: set[int] = set()
    for step, (p, at) in enumerate(left):
        if p >= 0.05 / (len(left) - step):
            break
        rejected.add(at)
    for at, row in enumerate(lines):
        margin = margins.get(str(row["quantity"]), 0.0)
        if row["label"] in ("largest", "parameters", "multiply-adds") and not row["second"]:
            expected = "for" if float(row["mean"]) > 0 else "against"
        elif not row["low"]:
            expected = "undecided"
        elif -margin <= float(row["low"]) and float(row["high"]) <= margin:
            expected = "equal"
        else:
            expected = ("for" if float(row["mean"]) > 0 else "against") if at in rejected else "undecided"
        assert row["verdict"] == expected, row


def test_the_first_table_holds_the_numbers_of_the_scores() -> None:
    lines = (RESULTS.parent / "docs" / "first-results.md").read_text().splitlines()
    told = {cells[0]: cells[1:] for line in lines if len(cells := [c.strip() for c in line.strip("|").split("|")]) == 5}
    rows = [
        row for row in scores() if (row["dataset"], row["scale"], row["target"]) == ("cifar10-jpeg", "mini", "cifar10")
    ]
    labels = {row["label"] for row in rows} - set(generated.NO_SEARCH)
    names = {label: generated.NAMES.get(label, printed_name(label)) for label in labels}
    assert set(names.values()) < set(told)
    for label, name in names.items():
        own = [row for row in rows if row["label"] == label]
        numbers = [_number(cell) for cell in told[name]]
        costs = [json.loads((RESULTS / "runs" / f"{row['key']}.json").read_text())["cost"] for row in own]
        passed = statistics.fmean(cost["forward_images"] + cost["backward_images"] for cost in costs) / 1e6
        taus = [row["tau"] for row in own]
        tau = None if None in taus else statistics.fmean(taus)
        by_hand = [statistics.fmean(row[quantity] for row in own) for quantity in ("test", "rank")]
        for value, said, digits in zip([*by_hand, tau, passed], numbers, (2, 0, 2, 2), strict=True):
            assert said == (None if value is None else pytest.approx(value, abs=0.51 * 10**-digits)), (label, said)


def _number(cell: str) -> float | None:
    plain = cell.removesuffix(" M").replace(",", "").replace("\N{MINUS SIGN}", "-")
    return None if plain == "\N{EN DASH}" else float(plain)


def test_an_interval_of_three_values_is_its_corners() -> None:
    """Of the 27 resamples one holds the lowest thrice and one the highest: more than the 2.5 % beyond either end."""
    mean = stats.mean_of([1.0, 2.0, 6.0])
    assert (mean.mean, mean.low, mean.high) == (3.0, 1.0, 6.0) == by_hand([1.0, 2.0, 6.0])
    frame = pd.DataFrame({"x": [1.0, 2.0, 6.0], "status": "done", "key": list("abc")})
    assert str(Column("x", "", "", 2, interval=True).cell(frame)) == "3.00 [1.00, 6.00]"
