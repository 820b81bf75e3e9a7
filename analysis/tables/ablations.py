"""Ablations: each part of GM-NAS, HEP-NAS and FaDE switched, beside the whole method, paired by seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.load import Setting, settings, targets_of
from analysis.missing import lines
from analysis.output import Drawn
from analysis.style import printed
from analysis.tables import pairing
from analysis.tables.beside import beside, legend
from analysis.tables.columns import RUNS, Column, runs_cell, shared
from analysis.tables.grid import UNKNOWN, Cell, Grid
from analysis.tables.sheet import Sheet, describe
from bench.store.bases import BASES
from bench.store.record import Results


@dataclass(frozen=True)
class Ablation:
    """One switch: the whole method and what it is without, in words."""

    title: str
    whole: str
    settings: tuple[tuple[str, str], ...]  # label and what the switch is at, the whole method's first


ABLATIONS = (
    Ablation(
        "GM-NAS, RSPS: split criterion and edge",
        "gm-rsps",
        (("gm-rsps", "gradient matching"), ("gm-rsps-random", "random")),
    ),
    Ablation(
        "GM-NAS, DARTS: split criterion and edge",
        "gm-darts",
        (("gm-darts", "gradient matching"), ("gm-darts-random", "random")),
    ),
    Ablation(
        "GM-NAS, DARTS: choice of the edge alone",
        "gm-darts",
        (("gm-darts", "largest cut"), ("gm-darts(edges.by=random)", "random")),
    ),
    Ablation(
        "GM-NAS, DARTS: restart after the last cut",
        "gm-darts",
        (("gm-darts", "restart"), ("gm-darts-no-restart", "none")),
    ),
    Ablation(
        "HEP-NAS: mutual distillation",
        "hep",
        (
            ("hep", "parent and siblings"),
            ("hep-parent", "parent only"),
            ("hep-siblings", "siblings only"),
            ("hep-no-smd", "none"),
        ),
    ),
    Ablation(
        "HEP-NAS: order of the hierarchies",
        "hep",
        (("hep", "sequential"), ("hep-random-order", "random"), ("hep-reversed", "reversed")),
    ),
    Ablation("HEP-NAS: partition", "hep", (("hep", "hierarchy by hierarchy"), ("hep-edgewise", "edge by edge"))),
    *(
        Ablation(
            f"{printed(cut)} at the images of its base",
            f"{cut}(protocol=fair)",
            ((f"{cut}(protocol=fair)", "cut"), (base, "one supernet")),
        )
        for cut, base in BASES.items()
    ),
    Ablation(
        "FaDE: regularisation and outer search",
        "fade",
        (
            ("fade", "alike for all rows, pseudo-gradient"),
            ("fade-dependent", "by row, pseudo-gradient"),
            ("fade-unregularised", "none, pseudo-gradient"),
            ("fade-random", "alike for all rows, random cells"),
        ),
    ),
)
METHODS = tuple(dict.fromkeys(label for ablation in ABLATIONS for label, _ in ablation.settings))
TEST = Column("test", "test (%)", "%", 2, interval=True)
COLUMNS = (
    TEST,
    Column("regret_test", "regret (points)", "points", 2, interval=True),
    Column("tau", "tau", "", 3, interval=True),
    Column("images", "images (thousands)", "thousands", 1, 1e-3),
    Column("device_s", "seconds", "s", 1),
)
CHAPTER = "parts"
READ = (
    "Each line is one setting of a switch; whole less this is the test accuracy of the whole method less that of the "
    "line."
)
DEFINITIONS = (
    "Test is the accuracy of the method's own choice, trained alone; regret its distance to the best architecture of "
    "the truth; tau is Kendall's tau-b of the estimates with test accuracy over the probe (of HEP-NAS's supernets, "
    "dropped ones included, which were trained for different times); images are those passed through supernets, "
    "forward and backward; seconds are CPU seconds of the process, or GPU seconds. Whole less this: the test accuracy "
    "of the whole method less that of the line."
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """Write one table for each setting in which a switched method was run beside its whole."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=False):
        missing += lines("ablations", setting, rows, METHODS)
        if present(rows):
            paths += sheet(setting, rows, results).write(results.root)
    return Drawn(tuple(paths), tuple(missing))


def present(rows: pd.DataFrame) -> list[Ablation]:
    """The ablations of which two lines or more have runs, the whole method among them."""
    labels = set(rows["label"])
    return [a for a in ABLATIONS if a.whole in labels and sum(label in labels for label, _ in a.settings) > 1]


def sheet(setting: Setting, rows: pd.DataFrame, results: Results) -> Sheet:
    """The table of one setting: a grid for each ablation and target."""
    reasons: dict[str, str] = {}
    shown = present(rows)
    some = rows[rows["label"].isin({label for a in shown for label, _ in a.settings})]
    some = some.assign(images=some["forward_images"] + some["backward_images"])
    grids: list[Grid] = []
    data: list[dict[str, Any]] = []
    parts = targets_of(setting, some)
    for one, part in parts:
        for ablation in shown:
            whole = part[part["label"] == ablation.whole]
            body = []
            for label, switch in ablation.settings:
                of_label = part[part["label"] == label]
                if of_label.empty:
                    body.append((Cell(switch), Cell("not run"), *[Cell(UNKNOWN)] * (len(COLUMNS) + 3)))
                    continue
                cells = [Cell(switch), runs_cell(of_label)]
                line = {
                    **shared(one, label, of_label),
                    "target": one.target,
                    "ablation": ablation.title,
                    "switch": switch,
                }
                for column in COLUMNS:
                    numbers, notes = beside(column, of_label, label, one, reasons)
                    cells.append(column.cell(of_label, *notes))
                    data.append({**line, **numbers})
                if label == ablation.whole:
                    cells += [Cell("the whole"), Cell(""), Cell("")]
                else:
                    found, chance = pairing.compared(whole, of_label, TEST.source)
                    cells += pairing.cells(found, chance, TEST)
                    told = {
                        f"paired_{name}" if name == "verdict" else name: v
                        for name, v in pairing.data(found, chance).items()
                    }
                    data.append({**line, "quantity": "test: whole less this", "unit": "points", **told})
                body.append(tuple(cells))
            heads = ("Switch", RUNS, *(c.head for c in COLUMNS), "whole less this (points)", "p", "P(better)")
            title = f"{ablation.title} ({printed(ablation.whole)}), {one.target}"
            grids.append(Grid(title, heads, tuple(body)))
    texts = (legend(reasons, setting, [one.target for one, _ in parts]),)
    words = describe(
        "ablations", READ, setting, some, results.root, texts, [label for a in shown for label, _ in a.settings]
    )
    return Sheet("ablations", setting, tuple(grids), words, pd.DataFrame(data))
