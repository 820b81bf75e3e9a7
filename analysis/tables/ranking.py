"""How well estimates rank, in the layout of GM-NAS, Table 7: split criterion, splits, supernets, and tau and Spearman
inside the true top 0.2 to 100 %; then the metrics that say what tau does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis import additive, published, stats
from analysis.load import RESCORE, Setting, settings, targets_of
from analysis.missing import lines
from analysis.output import Drawn
from analysis.pairs import Sides, joined, read_ranking, sides
from analysis.runs import config, leaves, record_of
from analysis.style import printed
from analysis.tables.beside import beside, legend
from analysis.tables.columns import RUNS, Column, by_label, runs_cell, shared
from analysis.tables.grid import UNKNOWN, Cell, Grid
from analysis.tables.sheet import Sheet, describe
from bench import metrics, spaces
from bench.errors import counted
from bench.runs.probe import genotypes_of
from bench.scoring import panel
from bench.scoring.panel import Ranking
from bench.store.record import Results

TOPS = ("0.2", "0.5", "1", "5", "10")
SIZES = {"parameters": "parameters", "multiply-adds": "multiply_adds"}
"""Methods that cost nothing, and the column of the pairs that is their estimate."""
ADDITIVE = "additive"
"""What is no method: a fit of the truth itself."""
ORDER = "\N{DAGGER}"


def _inside(metric: str, whole: str) -> tuple[Column, ...]:
    tops = tuple(Column(f"{metric}_top{top}", f"top {top} %", "", 2, interval=True) for top in TOPS)
    return (*tops, Column(whole, "100 %", "", 3, interval=True))


TAU, SPEARMAN = _inside("tau", "tau"), _inside("spearman", "spearman")
OTHERS = (
    *(Column(f"sparse_tau_{step}", f"sparse tau {step} %", "", 3, interval=True) for step in ("0.1", "0.5", "1")),
    Column("tau_cross_entropy", "tau of cross-entropy", "", 3, interval=True),
    Column("tau_unique", "tau, equal cells once", "", 3, interval=True),
    Column("partial_tau_parameters", "tau given parameters", "", 3, interval=True),
    *(Column(f"precision_top{top}", f"P@{top} %", "", 2, interval=True) for top in ("1", "5", "10")),
    *(Column(f"best_rank_{k}", f"best rank @{k}", "", 0) for k in (1, 10, 100)),
    Column("ties", "ties (%)", "%", 0, 100.0),
    Column("coverage", "coverage (%)", "%", 0, 100.0),
    Column("probe_n", "probe n", ""),
    Column("ceiling", "ceiling", "", 3),
)
CHAPTER = "ranking"
READ = (
    f"Each line is a method: how its estimates rank the probe, inside the true top and as a whole; {ORDER} marks "
    "estimates that are an order and no accuracies."
)
DEFINITIONS = (
    "Estimates are those of the search for the architectures of the probe; truth is test accuracy. Tau is Kendall's "
    "tau-b, Spearman his rank correlation; inside the true top x % both are over those of the probe's architectures "
    "alone that the truth puts there, with all that tie with the last; a top of fewer than 30 has no column. "
    f"Criterion is how operations are grouped into children, split the number of edges cut, supernets those that the "
    f"estimates come from. {ORDER} marks estimates that are an order (a size, a regression) and no "
    "measured accuracies: ranks mean the same, accuracies nothing. Parameter count and multiply-adds train nothing; "
    "where they were not run as methods they are computed from the probe itself. So is the additive model, one number "
    "for each edge and operation, fitted on the true accuracies of the probe: it knows what no search does, and tells "
    "how much of the truth is preferences edge by edge; a probe of few architectures has no such row. Sparse tau "
    "rounds the truth; "
    f"tau of cross-entropy: {panel.DEFINITIONS['tau_cross_entropy']}; tau, equal cells once: "
    f"{panel.DEFINITIONS['tau_unique']}; tau given parameters: "
    f"{panel.DEFINITIONS['partial_tau_parameters']}; P@x %: the share of the estimated top x % that lies in the true "
    "top x %, what ties leave open averaged over all orders; best rank @k: the best true rank within the probe among "
    "the k best estimates; ties: the share of estimates that equal another one; coverage: the share of the probe on "
    "which the method has an opinion, on which alone all of these are; probe n: architectures with an opinion and a "
    "truth. A search that drops supernets on its way, as HEP-NAS does, estimates with supernets trained for different "
    "times, which these numbers mix. Ceiling is the tau-b to expect between the truth and its like from as many "
    "other training seeds, the noise of the truth itself. Over architectures: the mean of tau over seeds with the 95 "
    "% normal interval that another draw of architectures, rather than of seeds, would move it in. Over architectures "
    "and seeds: the same with the interval that another draw of both would move it in (Student's, both variances added "
    "less that of their interaction)."
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """Write one table for each setting in which some method has an opinion."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=False):
        ranked = with_opinion(rows)
        if ranked.empty:
            missing.append(
                f"ranking {setting.slug}: no run has estimates of the probe; `python -m bench run` one, then {RESCORE}"
            )
            continue
        absent = [of.absent[0] for of in pairs_of(setting, ranked, results) if of.absent]
        if absent:
            missing.append(f"ranking {setting.slug}: {len(absent)} runs lack their pairs, as {absent[0]}; {RESCORE}")
        paths += sheet(setting, rows, results).write(results.root)
        missing += lines("ranking", setting, rows, sorted(set(ranked["label"]) | set(SIZES)))
    return Drawn(tuple(paths), tuple(missing))


def with_opinion(rows: pd.DataFrame) -> pd.DataFrame:
    """All rows of the methods that have estimates of the probe in some run."""
    return rows[rows["label"].isin(set(rows.loc[rows["pairs"].notna(), "label"]))]


def told(columns: Sequence[Column], rows: pd.DataFrame) -> tuple[Column, ...]:
    """Those whose top holds `stats.LEAST_ARCHITECTURES` or more: of fewer a correlation is one or nought by luck."""
    probe = rows["probe_n"].max()

    def enough(column: Column) -> bool:
        _, inside, top = column.source.partition("_top")
        return not inside or probe * float(top) / 100 >= stats.LEAST_ARCHITECTURES

    return tuple(filter(enough, columns))


def sheet(setting: Setting, rows: pd.DataFrame, results: Results) -> Sheet:
    """The table of one setting: three grids for each target."""
    reasons: dict[str, str] = {}
    grids: list[Grid] = []
    data: list[dict[str, Any]] = []
    parts = targets_of(setting, with_opinion(rows))
    for one, part in parts:
        for title, columns in (
            (f"Tau inside the true top, {one.target}", told(TAU, part)),
            (f"Spearman inside the true top, {one.target}", told(SPEARMAN, part)),
        ):
            heads = ("Method", RUNS, "criterion", "split", "supernets", *(column.head for column in columns))
            body = []
            for label, of_label in by_label(part):
                cells = [_name(label, of_label), runs_cell(of_label), *map(Cell, kind_of(of_label, results))]
                same = {**shared(one, label, of_label), "target": one.target}
                for column in columns:
                    numbers, notes = beside(column, of_label, label, one, reasons)
                    cells.append(column.cell(of_label, *notes))
                    data.append({**same, **numbers})
                body.append(tuple(cells))
            body += _sizes(one, part, columns, results, 3, data)
            body += _not_found(one, columns)
            grids.append(Grid(title, heads, tuple(body)))
        body = []
        for label, of_label in by_label(part):
            wide, whole = over_architectures(one, of_label, results)
            same = {**shared(one, label, of_label), "target": one.target}
            data.append({**same, "quantity": "tau_over_architectures", **vars(wide)})
            data.append({**same, "quantity": "tau_over_both", **vars(whole)})
            data += [{**same, "quantity": c.source, "unit": c.unit, **vars(c.mean(of_label))} for c in OTHERS]
            body.append(
                (_name(label, of_label), *(column.cell(of_label) for column in OTHERS), *map(_wide_cell, (wide, whole)))
            )
        body += [(*row, Cell(UNKNOWN), Cell(UNKNOWN)) for row in _sizes(one, part, OTHERS, results, -1, data)]
        heads = (
            "Method",
            *(column.head for column in OTHERS),
            "tau over architectures",
            "tau over architectures and seeds",
        )
        grids.append(Grid(f"Other ranking metrics, {one.target}", heads, tuple(body)))
    texts = (legend(reasons, setting, [one.target for one, _ in parts]),)
    methods = sorted(set(with_opinion(rows)["label"]) | set(SIZES))
    words = describe("ranking", READ, setting, with_opinion(rows), results.root, texts, methods)
    return Sheet("ranking", setting, tuple(grids), words, pd.DataFrame(data))


def pairs_of(setting: Setting, rows: pd.DataFrame, results: Results) -> list[Sides]:
    """The sides of the pairs of the finished runs, by seed."""
    done = stats.done(rows)
    done = done[done["pairs"].notna()].sort_values(["seed", "key"])
    named = zip(done["key"], done["target"], done["truth_checksum"], strict=True)
    return [sides(results, key, setting.truth, target, checksum) for key, target, checksum in named]


def over_architectures(setting: Setting, rows: pd.DataFrame, results: Results) -> tuple[stats.Mean, stats.Mean]:
    """The mean tau of the finished runs, with its interval over the architectures that all of them rank, and over
    these and the seeds; nothing where a side is not at hand."""
    pairs = pairs_of(setting, rows, results)
    if any(of.absent for of in pairs):
        nothing = stats.Mean(None, None, None, 0)
        return nothing, nothing
    rankings = [read_ranking(of) for of in pairs]
    return stats.tau_means([(r.estimate, r.truth) for r in rankings])


def kind_of(rows: pd.DataFrame, results: Results) -> tuple[str, str, str]:
    """Split criterion, number of edges cut, and supernets behind the estimates, in words, as the first record of a
    finished run tells them by its tree of supernets; the supernets of a search without one are those that it built."""
    done = stats.done(rows).sort_values("seed", kind="stable")
    if done.empty:
        return UNKNOWN, UNKNOWN, UNKNOWN
    built = f"{done['supernets'].mean():.0f}"
    record = record_of(results, str(done["key"].iloc[0]))
    tree = record.details.get("tree")
    if tree is None:
        return "none", "0", built
    grouping = _last(config(record.identity["method"], "grouping")["name"])
    return _CRITERIA.get(grouping, grouping), split_of(tree), str(leaves(record) or built)


def split_of(tree: Sequence[Mapping[str, Any]]) -> str:
    """How many edges are cut on the way to the deepest supernet, and in how many stages where one cuts several."""
    nodes = {node["name"]: node for node in tree}
    cuts: list[int] = []
    node = max(tree, key=lambda one: one["depth"])
    while node["parent"] is not None:
        node = nodes[node["parent"]]
        cuts.append(len(node["cut"]["edges"]) if node["cut"] else 0)
    return f"{sum(cuts)}, in {counted(len(cuts), 'stage')}" if max(cuts, default=0) > 1 else str(sum(cuts))


_CRITERIA = {"Exhaustive": "exhaustive", "Matching": "gradient matching", "RandomGroups": "random"}


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _name(label: str, rows: pd.DataFrame) -> Cell:
    measured = rows["estimates_measured"].dropna()
    return Cell(printed(label) + ("" if measured.empty or bool(measured.all()) else ORDER))


def _wide_cell(mean: stats.Mean) -> Cell:
    column = Column("tau", "", "", 3, interval=True)
    return Cell(UNKNOWN) if mean.mean is None else Cell(column.text(mean.mean), column.interval_of(mean))


def _sizes(
    setting: Setting,
    rows: pd.DataFrame,
    columns: tuple[Column, ...],
    results: Results,
    words: int,
    data: list[dict[str, Any]],
) -> Iterator[tuple[Cell, ...]]:
    """A row for each size that was not run as a method, and one for the additive model, computed from the probe of any
    run: the same for all seeds. words: how many columns of words stand before the numbers; -1: neither these nor the
    runs."""
    some = rows[rows["coverage"] == 1]
    pairs = [of for of in pairs_of(setting, some, results) if not of.absent]
    for label, ranking in _computed(setting, set(rows["label"]), pairs[:1]):
        values = {
            **panel.ranked(ranking),
            "tau": metrics.tau_b(ranking.estimate, ranking.truth),
            "spearman": metrics.spearman(ranking.estimate, ranking.truth),
            "coverage": 1.0,
            "probe_n": len(ranking.truth),
            "ceiling": some["ceiling"].iloc[0],
        }
        row = pd.DataFrame([{**values, "status": "done", "key": ""}]).astype(dict.fromkeys(values, "float64"))
        before = [Cell(printed(label) + ORDER), Cell("computed"), Cell("none"), Cell("0"), Cell("0")][: 2 + words]
        yield (*before, *(column.cell(row) for column in columns))
        data += [
            {
                **shared(setting, label, row),
                "done": 0,
                "target": setting.target,
                "quantity": c.source,
                "unit": c.unit,
                **vars(c.mean(row)),
            }
            for c in columns
        ]


def _computed(setting: Setting, run: Set[str], pairs: Sequence[Sides]) -> Iterator[tuple[str, Ranking]]:
    """Labels and rankings of what the probe itself gives, but for what was run as a method."""
    for of in pairs:
        for label, column_of_pairs in SIZES.items():
            if label not in run:
                yield label, read_ranking(of, column_of_pairs)
        space, known = spaces.get(setting.space).population.space, joined(of).dropna(subset=["test"])
        genotypes = genotypes_of(space, known["architecture"].to_numpy())
        model = additive.fitted(space, genotypes, known["test"].to_numpy(np.float64))
        if model is not None:
            ranking = read_ranking(of, SIZES["parameters"])
            yield ADDITIVE, replace(ranking, estimate=model)


def _not_found(setting: Setting, columns: tuple[Column, ...]) -> Iterator[tuple[Cell, ...]]:
    """Published rows of Table 7 that are no method of ours, as far as they are known."""
    known = [p for p in published.of_space(setting.space) if p.where == "Table 7" and not p.label]
    found = {p.quantity: p for p in known if p.target == setting.target}
    if not found or not any(column.source in found for column in columns):
        return
    name = next(iter(found.values())).name
    texts = [found[column.source].text if column.source in found else UNKNOWN for column in columns]
    yield (
        Cell(f"{name} (published)"),
        Cell(UNKNOWN),
        Cell("gradient matching"),
        Cell("4"),
        Cell("16"),
        *map(Cell, texts),
    )
