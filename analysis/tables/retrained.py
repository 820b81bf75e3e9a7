"""Cells that were trained alone by the recipe of a paper, in the layout of Table 1 of DARTS: error, parameters,
multiply-adds, the search that chose them, and what the paper prints of a cell at its own scale."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis import caption, links
from analysis.output import Drawn, csv_text, write_text
from analysis.style import printed
from analysis.tables.grid import UNKNOWN, Cell, Grid, latex, latex_escaped, markdown
from bench import spaces
from bench.store import retrained
from bench.store.names import slug
from bench.store.record import Results
from bench.store.retrained import Retrained

NAME = "retrained"
CHAPTER = "choice"
HEADS = (
    "Cell",
    "chosen by",
    "n",
    "error (%)",
    "best (%)",
    "cross-entropy",
    "parameters (M)",
    "multiply-adds (M)",
    "the paper's error (%)",
)
READ = (
    "Each line is a cell, trained alone from n seeds: its test error (%) behind the last epoch, mean ± standard "
    "deviation, and the lowest."
)
DEFINITIONS = (
    "Error and cross-entropy (nats) are of all test images behind the last epoch, so no epoch is chosen by them; mean "
    "± standard deviation over seeds (n - 1), and the lowest, which is that of the luckiest seed and no result to "
    "compare. Parameters and multiply-adds are of the network of the recipe at its scale, without an auxiliary head. "
    "Chosen by: the methods whose runs were named when the cell was retrained. The paper's error is that of DARTS, "
    "Table 1, on CIFAR-10 after 600 epochs of 20 cells of 36 channels. Where that is another scale than "
    "ours it says so, and is not to be compared."
)
CELLS = {
    "DARTS (first order)": (
        "sep_conv_3x3~1 sep_conv_3x3~0 skip_connect~0 sep_conv_3x3~1 skip_connect~0 sep_conv_3x3~1 sep_conv_3x3~0 "
        "skip_connect~2,max_pool_3x3~0 max_pool_3x3~1 skip_connect~2 max_pool_3x3~0 max_pool_3x3~0 skip_connect~2 "
        "skip_connect~2 avg_pool_3x3~0",
        "3.00 ± 0.14",
    ),
    "DARTS (second order)": (
        "sep_conv_3x3~0 sep_conv_3x3~1 sep_conv_3x3~0 sep_conv_3x3~1 sep_conv_3x3~1 skip_connect~0 skip_connect~0 "
        "dil_conv_3x3~2,max_pool_3x3~0 max_pool_3x3~1 skip_connect~2 max_pool_3x3~1 max_pool_3x3~0 skip_connect~2 "
        "skip_connect~2 max_pool_3x3~1",
        "2.76 ± 0.09",
    ),
}
"""Published cells of the space `darts` (quark0/darts f276dd34, cnn/genotypes.py: DARTS_V1, DARTS_V2) and the error that
the paper prints for them (DARTS, Table 1: ten trainings)."""

SAME = ("cifar10", "darts-cifar", "paper")
"""Image set, recipe and scale of those errors."""


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """Write one table for each space, image set, recipe and scale. What is not there is no fault: a study is scored by
    its table unless somebody retrains."""
    groups: dict[tuple[str, ...], list[Retrained]] = {}
    for record in retrained.records(results):
        groups.setdefault(setting_of(record), []).append(record)
    paths: list[Path] = []
    for setting, records in sorted(groups.items()):
        paths += _written(setting, records, results)
    return Drawn(tuple(paths))


def setting_of(record: Retrained) -> tuple[str, ...]:
    """Space, image set, recipe with all its numbers, and scale: two trainings that differ in one share no table."""
    identity = record.identity
    rest = {name: value for name, value in identity["recipe"].items() if name != "name"}
    numbers = ", ".join(f"{name} {value}" for name, value in sorted(rest.items()) if name != "dataset")
    return identity["space"], identity["dataset"], identity["recipe"]["name"], identity["scale"]["name"], numbers


def lines(records: Sequence[Retrained], labels: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The numbers of every cell, the lowest mean error first. labels: of runs, by key."""
    cells: dict[str, list[Retrained]] = {}
    for record in records:
        cells.setdefault(record.architecture, []).append(record)
    for architecture, of in sorted(cells.items(), key=lambda cell: (np.mean([r.error for r in cell[1]]), cell[0])):
        errors = [record.error for record in of]
        name, paper = published(of[0])
        yield {
            "architecture": architecture,
            "name": name,
            "chosen_by": ", ".join(sorted({labels[key] for record in of for key in record.searched if key in labels})),
            "n": len(of),
            "error": float(np.mean(errors)),
            "error_std": float(np.std(errors, ddof=1)) if len(errors) > 1 else None,
            "error_best": min(errors),
            "cross_entropy": float(np.mean([record.cross_entropy for record in of])),
            "parameters": of[0].parameters,
            "multiply_adds": of[0].multiply_adds,
            "paper": paper,
            "keys": " ".join(record.key for record in of),
        }


def published(record: Retrained) -> tuple[str, str]:
    """The name of a published cell, and what the paper prints of it; empty for another one."""
    if record.identity["space"] != "darts":
        return "", ""
    space = spaces.get("darts")
    for name, (text, error) in CELLS.items():
        if space.parse(text) == tuple(record.identity["genotype"]):
            return name, error
    return "", ""


def _written(setting: tuple[str, ...], records: Sequence[Retrained], results: Results) -> Iterator[Path]:
    space, dataset, recipe, scale, numbers = setting
    labels = {key: record.label for key in {k for r in records for k in r.searched} if (record := results.find(key))}
    data = pd.DataFrame(lines(records, labels))
    title = f"Retrained by {recipe} at scale {scale}"
    note = "" if (dataset, recipe, scale) == SAME else "another scale"
    body = tuple(_row(number, line, note) for number, line in enumerate(data.to_dict("records"), 1))
    grid = Grid(title, HEADS, body)
    cells = "; ".join(f"cell {k} {text}" for k, text in enumerate(data["architecture"], 1) if not data["name"][k - 1])
    words = caption.folded(
        f"{READ} Space {space}, trained on {dataset}, scale {scale}.",
        f"Recipe {recipe}: {numbers}. {f'{cells}. ' if cells else ''}Definitions: "
        f"{links.link(links.TABLES, NAME, results.root)}. Made by: {caption.command(results.root)}.",
    )
    told = hashlib.blake2b(numbers.encode(), digest_size=2).hexdigest()  # settings of one name that differ in a number
    stem = results.root / "tables" / slug(NAME, space, dataset, recipe, scale, told)
    yield write_text(Path(f"{stem}.md"), "\n".join([markdown(grid), words, ""]))
    said = latex_escaped(links.without_links(caption.unfolded(words)[0].strip()))
    made = f"% {caption.command(results.root)}", r"% needs \usepackage{booktabs,graphicx}"
    floated = (
        r"\begin{table*}",
        r"\centering\scriptsize",
        latex(grid) + rf"\caption{{\footnotesize {said}}}",
        r"\end{table*}",
    )
    yield write_text(Path(f"{stem}.tex"), "\n".join([*made, *floated, ""]))
    yield write_text(Path(f"{stem}.csv"), csv_text(data))


def _row(number: int, line: Mapping[Any, Any], note: str) -> tuple[Cell, ...]:
    spread = "" if pd.isna(line["error_std"]) else f" \N{PLUS-MINUS SIGN} {line['error_std']:.2f}"
    chosen = ", ".join(printed(label) for label in str(line["chosen_by"]).split(", ") if label)
    return (
        Cell(line["name"] or f"cell {number}"),
        Cell(chosen or UNKNOWN),
        Cell(str(line["n"])),
        Cell(f"{line['error']:.2f}{spread}"),
        Cell(f"{line['error_best']:.2f}"),
        Cell(f"{line['cross_entropy']:.3f}"),
        Cell(f"{line['parameters'] / 1e6:.3f}"),
        Cell(f"{line['multiply_adds'] / 1e6:.1f}"),
        Cell(line["paper"], notes=(note,) if note else ()) if line["paper"] else Cell(UNKNOWN),
    )
