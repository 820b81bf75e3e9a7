"""What the embedded table ranks like, in numbers: `python -m bench.truth.sheet` writes its data sheet.

Noise: tau-b between seeds, and what follows for means of all seeds. Likeness: tau-b with the real data sets, where a
converted official table is given, with parameter count and multiply-adds, and the partial taus. The ranks of all cells
in both go to a file of their own, for the figure.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata
from tabulate import tabulate

from bench import spaces
from bench.errors import BadTable, BenchError
from bench.metrics import partial_tau, share_tied, tau_b
from bench.store.files import write_atomically
from bench.store.typed import options
from bench.truth import EMBEDDED, FIRST_SPACE, open_truth
from bench.truth.merge import DATASET
from bench.truth.plan import trained_instead
from bench.truth.reliability import expected_of_unequal, optimism, stepped_up, top_tau
from bench.truth.table import Table
from bench.truth.tabular import TableTruth

Measure = tuple[str, float]
SHARES = ((1.0, "all"), (0.5, "upper half"), (0.1, "upper 10 %"))
LARGEST = 10  # classes of most cells that the sheet shows one by one
RANKED = "cifar10"
"""The official data set whose ranks stand beside ours."""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Measure a table made by `make table`."""

    space: str = FIRST_SPACE
    """What the table is of."""
    table: str = EMBEDDED
    """`embedded`, or the path of another table of the same kind."""
    official: Path | None = None
    """A converted official table, for the rows of the real data sets."""
    out: Path | None = None
    """Where sheet.csv and sheet.md are written, and ranks.csv and classes.csv where there is an official table; by
    default results/embedded, and for another space than NAS-Bench-201 a folder of its own in it."""


def measures(table: Table, official: TableTruth | None) -> Iterator[Measure]:
    """All rows of the sheet: a name and a number. Every cell counts, so a class of n cells counts n times; ties are
    counted among classes. Of a table that has more seeds of some cells than of others, what these bring comes first;
    the rest is of the cells with all of them."""
    seeds = table.seeds(("accuracy", DATASET, "test", _passes(table)))
    instead = trained_instead(table.space)
    known = np.stack([_column(table, "accuracy", seed) for seed in seeds], 1)
    yield from _unequal(table, seeds, known)
    rows = np.flatnonzero(np.isfinite(known).all(1))
    accuracy = known[rows]
    entropy = -np.stack([_column(table, "cross_entropy", seed)[rows] for seed in seeds], 1)
    yield "cells", len(rows)
    yield "classes trained", len(np.unique(instead[rows]))
    yield "seeds", len(seeds)
    yield "CPU hours", _hours(table, seeds)
    mean = accuracy.mean(1)
    for share in (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1):
        yield f"test accuracy, quantile {share:g} (%)", float(np.quantile(mean, share))
    if len(seeds) > 1:
        yield "best accuracy above its own on a seed held out (points)", optimism(accuracy)
    yield "median standard deviation between seeds (points)", float(np.median(accuracy.std(1, ddof=1)))
    distinct = np.unique(instead[rows], return_index=True)[1]
    yield "share of classes tied with another, one seed", share_tied(accuracy[distinct, 0])
    yield "share of classes tied with another, mean of seeds", share_tied(mean[distinct])
    for scores, name in ((accuracy, "accuracy"), (entropy, "cross-entropy")):
        for share, part in SHARES:
            tau = top_tau(scores, share)
            yield f"tau of one seed with another, {name}, {part}", tau
            yield f"tau expected of means of {len(seeds)} seeds, {name}, {part}", stepped_up(tau, len(seeds))
    counts = {name: table.constant(name)[rows].astype(np.float64) for name in ("parameters", "multiply_adds")}
    for name, values in counts.items():
        yield f"tau with {name}", tau_b(mean, values)
    if official is not None:
        for target in official.targets():
            real = official.reference(target).test[rows]
            yield f"tau with {target}", tau_b(mean, real)
            for name, values in counts.items():
                yield f"partial tau with {target} given {name}", partial_tau(mean, real, values)
                yield f"tau of {name} with {target}", tau_b(values, real)


def _unequal(table: Table, seeds: tuple[str, ...], accuracy: NDArray[np.float64]) -> Iterator[Measure]:
    """What more seeds of some cells bring to the ranks of all; nothing where all cells have the same."""
    rows = np.flatnonzero(np.isfinite(accuracy).any(1))
    counts = np.isfinite(accuracy[rows]).sum(1)
    if counts.min() == counts.max():
        return
    for count in np.unique(counts):
        yield f"cells with {count} seeds", int((counts == count).sum())
    entropy = -np.stack([_column(table, "cross_entropy", seed)[rows] for seed in seeds], 1)
    for scores, name in ((accuracy[rows], "accuracy"), (entropy, "cross-entropy")):
        for share, part in SHARES:
            yield f"tau expected of means of all seeds, at least, {name}, {part}", expected_of_unequal(scores, share)


def ranks(table: Table, official: TableTruth) -> str:
    """The ranks of all known cells by test accuracy (1 is best, ties at their mean), ours and the official ones, as
    CSV: `position`, `embedded`, `cifar10`."""
    cells = _side_by_side(table, official)
    both = zip(cells.index, cells["rank"], cells[f"{RANKED} rank"], strict=True)
    return "".join([f"position,embedded,{RANKED}\n", *(f"{row},{a:g},{b:g}\n" for row, a, b in both)])


def largest(table: Table, official: TableTruth) -> pd.DataFrame:
    """The classes of most cells, where one disagreement moves many ranks: `cell`, `cells`, test accuracy (%) and rank
    in both tables, the official ones as means over the cells."""
    cells, space = _side_by_side(table, official), table.space
    of = cells.groupby(trained_instead(space)[cells.index])
    classes = of.mean().assign(cells=of.size())
    classes = classes.sort_values("cells", ascending=False, kind="stable").head(LARGEST)
    classes["cell"] = [space.show(space.population.at(int(k))) for k in classes.index]
    return classes[["cell", "cells", *cells.columns]].reset_index(drop=True)


def _side_by_side(table: Table, official: TableTruth) -> pd.DataFrame:
    """Test accuracy (%) and rank (1 is best, ties at their mean) of the cells that both tables know, by position."""
    ours = table.column(dataset=DATASET, split="test", epochs=_passes(table), seeds="mean")
    theirs = official.reference(RANKED).test
    rows = np.flatnonzero(np.isfinite(ours) & np.isfinite(theirs))
    columns = {
        "embedded (%)": ours[rows],
        "rank": rankdata(-ours[rows]),
        f"{RANKED} (%)": theirs[rows],
        f"{RANKED} rank": rankdata(-theirs[rows]),
    }
    return pd.DataFrame(columns, index=rows)


def _column(table: Table, metric: str, seed: str) -> NDArray[np.float64]:
    split = "train" if metric == "train_seconds" else "test"
    return table.column(dataset=DATASET, split=split, epochs=_passes(table), seeds=seed, metric=metric)


def _passes(table: Table) -> int:
    """Of the trainings over the image set. Raises BadTable where the table is of another one."""
    found = [c.epochs for c in table.columns if c.quantity[:3] == ("accuracy", DATASET, "test")]
    if not found:
        raise BadTable(f"table {table.header.name} is not of the image set {DATASET}; give one that `make table` made")
    return max(found)


def _hours(table: Table, seeds: tuple[str, ...]) -> float:
    """Of training every class once, all seeds: members repeat the numbers of their representative."""
    own = np.unique(trained_instead(table.space))
    return sum(float(np.nansum(_column(table, "train_seconds", seed)[own])) for seed in seeds) / 3600


def _folder(arguments: Arguments) -> Path:
    default = Path("results") / "embedded"
    return arguments.out or (default if arguments.space == FIRST_SPACE else default / arguments.space)


def _command(arguments: Arguments) -> str:
    """What makes the sheet again."""
    of = "" if arguments.space == FIRST_SPACE else f" --space {arguments.space}"
    return f"python -m bench.truth.sheet{of}" + ("" if arguments.official is None else " --official TABLE")


def main(arguments: Arguments) -> int:
    """Write and print the sheet."""
    space = spaces.get(arguments.space)
    truth = open_truth(arguments.table, space)
    assert isinstance(truth, TableTruth)
    official = None if arguments.official is None else TableTruth.load(arguments.official, space.population)
    rows = list(measures(truth.table, official))
    out, command = _folder(arguments), _command(arguments)
    tables = [truth] if official is None else [truth, official]
    about = "Tables: " + "; ".join(f"{t.name}, checksum {t.checksum}" for t in tables)
    text = tabulate(
        [(n, f"{v:,.0f}" if float(v).is_integer() else f"{v:.4g}") for n, v in rows],
        headers=("measure", "value"),
        tablefmt="pipe",
    )
    if official is not None:
        classes = largest(truth.table, official)
        escaped = classes.assign(cell=classes["cell"].str.replace("|", "\\|"))
        shown = tabulate(
            escaped.values.tolist(), classes.columns.tolist(), "pipe", floatfmt=("", "", ".2f", ".0f", ".2f", ".0f")
        )
        text += f"\n\nThe classes of most cells:\n\n{shown}"
        write_atomically(out / "classes.csv", classes.to_csv(index=False).encode())
        write_atomically(out / "ranks.csv", ranks(truth.table, official).encode())
    write_atomically(out / "sheet.md", f"{about}. Made by `{command}`.\n\n{text}\n".encode())
    lines = ["measure,value", *(f'"{n}",{v!r}' for n, v in rows)]
    write_atomically(out / "sheet.csv", ("\n".join(lines) + "\n").encode())
    print(f"{about}\n\n{text}\n\n{out / 'sheet.md'}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(options(Arguments, "python -m bench.truth.sheet")))
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
