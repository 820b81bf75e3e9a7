"""The papers' protocol against a fair one: the same search at its published epochs, and at the images of its base
searched alone; and what the oracle of the published protocol adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from analysis.load import RESCORE, Setting, settings, targets_of
from analysis.missing import lines
from analysis.output import Drawn
from analysis.style import order, printed
from analysis.tables import pairing
from analysis.tables.columns import Column, counts, shared
from analysis.tables.grid import Cell, Grid
from analysis.tables.selection import judged
from analysis.tables.sheet import Sheet, describe
from bench.store.record import Results
from bench.store.spec import scale_typed

PAPER, FAIR = "paper", "fair"
COLUMNS = (
    Column("test", "test (%)", "%", 2, interval=True),
    Column("oracle_gain", "oracle's gain", "points", 2, interval=True),
    Column("tau", "tau", "", 3, interval=True),
    Column("images", "images (thousands)", "thousands", 1, 1e-3),
)
CHAPTER = "protocols"
READ = "Each line is a search: at the epochs of its paper, and at the images of its base on one supernet (fair)."
DEFINITIONS = (
    "Paper: the epochs that the paper gives, scaled, however much that is in all. Fair: all phases and the batches of "
    "gradient matching shrunk by one factor, so that the search takes the images of its base on one supernet (within "
    "10 %); what the base spends on its choice is shared out among the leaves. Test is the accuracy of the method's "
    "own choice, the oracle's gain what the best of its finalists by test accuracy adds to it (left out where the "
    "truth lacks a finalist), images those passed through supernets forward and backward."
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """Write one table for each setting in which some method was run under both protocols."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=False):
        labels = with_both(rows)
        if not labels:
            names = sorted(
                {base for base, protocol in zip(rows["base"], rows["protocol"], strict=True) if protocol == PAPER}
            )
            example = f"'{names[0] if names else 'gm-darts'}(protocol=fair)'"
            scale = scale_typed(setting.scale)
            if not scale:  # searches on a table have no protocol
                continue
            where = f"--space {setting.space} --dataset {setting.dataset} {scale}"
            missing.append(
                f"protocol {setting.slug}: no method was run under both protocols; `python -m bench run {where} "
                f"--methods {example} {example[1:].partition('(')[0]}`, then {RESCORE}"
            )
            continue
        paths += sheet(setting, rows, results).write(results.root)
        missing += lines("protocol", setting, rows, labels)
    return Drawn(tuple(paths), tuple(missing))


def with_both(rows: pd.DataFrame) -> list[str]:
    """The labels of the methods that have runs under both protocols."""
    known = set(zip(rows["base"], rows["protocol"], strict=True))
    bases = {base for base, _ in known if {(base, PAPER), (base, FAIR)} <= known}
    return sorted(set(rows.loc[rows["base"].isin(bases), "label"]), key=order)


def sheet(setting: Setting, rows: pd.DataFrame, results: Results) -> Sheet:
    """The table of one setting: a grid for each target."""
    labels = with_both(rows)
    some = judged(rows[rows["label"].isin(labels)])
    some["images"] = some["forward_images"] + some["backward_images"]
    grids: list[Grid] = []
    data: list[dict[str, Any]] = []
    for one, part in targets_of(setting, some):
        body = []
        for base in sorted(set(part["base"]), key=order):
            both = {name: part[(part["base"] == base) & (part["protocol"] == name)] for name in (PAPER, FAIR)}
            cells = [Cell(printed(base)), Cell(" + ".join(str(counts(both[name])["done"]) for name in (PAPER, FAIR)))]
            for column in COLUMNS:
                cells += [column.cell(both[name]) for name in (PAPER, FAIR)]
                for name in (PAPER, FAIR):
                    line = {**shared(one, base, both[name]), "target": one.target, "protocol": name}
                    data.append(
                        {**line, "quantity": column.source, "unit": column.unit, **vars(column.mean(both[name]))}
                    )
            found, chance = pairing.compared(both[FAIR], both[PAPER], "test")
            cells += pairing.cells(found, chance, COLUMNS[0])
            line = {**shared(one, base, both[FAIR]), "target": one.target, "protocol": "fair less paper"}
            data.append({**line, "quantity": "test", "unit": "points", **pairing.data(found, chance)})
            body.append(tuple(cells))
        heads = ["Method", "runs done (paper + fair)"]
        heads += [f"{column.head}, {name}" for column in COLUMNS for name in (PAPER, FAIR)]
        title = f"Published and fair protocol, {one.target}"
        grids.append(Grid(title, (*heads, "fair less paper (points)", "p", "P(better)"), tuple(body)))
    words = describe("protocol", READ, setting, some, results.root, methods=labels)
    return Sheet("protocol", setting, tuple(grids), words, pd.DataFrame(data))
