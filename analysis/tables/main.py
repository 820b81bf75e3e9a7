"""The main table, one per setting: what each method chose, how well it ranked, what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from rich.console import Console

from analysis import caption
from analysis.load import RESCORE, Setting, is_searched, settings, targets_of
from analysis.missing import lines
from analysis.output import Drawn
from analysis.style import printed
from analysis.tables.columns import RUNS, Column, by_label, counts, once_per_run, runs_cell
from analysis.tables.grid import Cell, Grid, show
from analysis.tables.sheet import Sheet, describe
from bench.store.record import Results

CHAPTER = "choice"
READ = "Each line is a method: means over seeds, with their intervals in brackets."
DEFINITIONS = (
    "n counts runs. Choice is the architecture that the method itself picked, by its own estimates; valid and test "
    "are its accuracies when trained alone, as the truth tells them. Best candidate (oracle) is the highest test "
    "accuracy among the method's finalists, left out where the truth lacks one of them: it is found by looking the "
    "answers up, so it is no result of the search; finalists says of how many. Regret is in points of test accuracy "
    "below the best architecture of the truth; rank is by test accuracy, 1 is best. tau is Kendall's tau-b of the "
    "supernet's estimates with test accuracy over the probe; tau in top 10 % is the same inside the true top tenth. "
    "Ceiling is the tau-b to expect between the truth and its like from as many other training seeds: the noise of "
    "the truth itself, and no bound: an estimate without noise could agree a little better. A search that drops "
    "supernets on its way, as HEP-NAS does, estimates with supernets trained for different times, which its tau "
    "mixes; FaDE orders the cells of one hyper-architecture, and no others. Coverage is the share of the probe on "
    "which the method has an opinion, probe n the number of architectures with an opinion and a truth. Images are "
    "those passed through supernets, forward and backward; seconds are CPU seconds of the process, or GPU seconds; "
    "supernets counts all that were built, even one that is split before it is trained."
)


CHOICE = (
    Column("valid", "valid (%)", "%", 2, interval=True),
    Column("test", "test (%)", "%", 2, interval=True),
    Column("regret_test", "regret (points)", "points", 2, interval=True),
    Column("rank", "rank among {among}", "", 0, interval=True),
    Column("test_best_candidate", "best candidate (oracle) (%)", "%", 2, interval=True),
    Column("n_candidates", "finalists", ""),
)
RANKING = (
    Column("tau", "tau", "", 3, interval=True),
    Column("ceiling", "ceiling", "", 3),
    Column("tau_top10", "tau in top 10 %", "", 3, interval=True),
    Column("coverage", "coverage (%)", "%", 0, 100.0),
    Column("probe_n", "probe n", ""),
)
COST = (
    Column("forward_images", "forward images (thousands)", "thousands", 1, 1e-3),
    Column("backward_images", "backward images (thousands)", "thousands", 1, 1e-3),
    Column("device_s", "seconds", "s", 1),
    Column("supernets", "supernets", ""),
)
ONLY_IN_CSV = (
    Column("regret_valid", "", "points"),
    Column("ranked", "", ""),
    Column("spearman", "", ""),
    Column("precision_top10", "", "share"),
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """Write every main table to `tables/` as Markdown, LaTeX and CSV (one row per method, target and quantity)."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=False):
        if "random" not in set(rows["label"]):
            missing.append(
                f"main {setting.slug}: no random baseline; `python -m bench run` a study with one, then {RESCORE}"
            )
        missing += lines("main", setting, rows)
        texts = (caption.asked(rows), caption.made_with(rows), _random_baseline(setting, rows))
        words = describe("main", READ, setting, rows, results.root, texts)
        made = Sheet("main", setting, tuple(grids(setting, rows)), words, numbers(setting, rows))
        paths += made.write(results.root)
    return Drawn(tuple(paths), tuple(missing))


def print_main(frame: pd.DataFrame) -> None:
    """Print the main tables of the scores in `frame`."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for setting, rows in settings(frame, by_target=False):
        console.print(caption.setting_of(setting, rows))
        console.print()
        for grid in grids(setting, rows):
            show(grid)


def grids(setting: Setting, rows: pd.DataFrame) -> Iterator[Grid]:
    """Choice and ranking for each target, the searched data set first; then the cost."""
    for one, part in targets_of(setting, rows):
        searched = f" (searched on {one.dataset})" if is_searched(one.dataset, one.target) else " (transfer)"
        yield _grid(f"Choice, {one.target}{searched}", CHOICE, part)
        yield _grid(f"Ranking, {one.target}{searched}", RANKING, part)
    yield _grid("Cost of the search", COST, once_per_run(rows))


def numbers(setting: Setting, rows: pd.DataFrame) -> pd.DataFrame:
    """The same as data: per method, target and quantity the mean, its interval and its n; costs have no target."""
    found: list[dict[str, object]] = []
    parts = [(one.target, CHOICE + RANKING + ONLY_IN_CSV, part) for one, part in targets_of(setting, rows)]
    for target, columns, part in [*parts, ("", COST, once_per_run(rows))]:
        for label, of_label in by_label(part):
            shared = {
                "space": setting.space,
                "dataset": setting.dataset,
                "scale": setting.scale,
                "truth": setting.truth,
                "population": setting.population,
                "truth_checksum": of_label["truth_checksum"].iloc[0] if target else "",
                "target": target,
                "label": label,
                **counts(of_label),
            }
            found += ({**shared, "quantity": c.source, "unit": c.unit, **vars(c.mean(of_label))} for c in columns)
    return pd.DataFrame(found)


def _random_baseline(setting: Setting, rows: pd.DataFrame) -> str:
    said = []
    for one, part in targets_of(setting, rows):
        known = part[part["random_mean"].notna()]
        if len(known):
            mean, best = known["random_mean"].iloc[0], known["optimum"].iloc[0]
            said.append(f"{one.target} test {mean:.2f} %, regret {best - mean:.2f} points")
    return f"One of {caption.among(rows)} drawn at random has, on average: {'; '.join(said)}." if said else ""


def _grid(title: str, columns: tuple[Column, ...], rows: pd.DataFrame) -> Grid:
    among = caption.among(rows)
    heads = ("Method", RUNS, *(column.head.format(among=among) for column in columns))
    body = [
        (Cell(printed(label)), runs_cell(part), *(column.cell(part) for column in columns))
        for label, part in by_label(rows)
    ]
    return Grid(title, heads, tuple(body))
