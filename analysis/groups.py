"""Which methods share a panel, and the line and the mark that say what is missing.

A panel holds what is worth comparing: one relaxation alone, trained longer, and cut by Few-Shot NAS and GM-NAS;
HEP-NAS with its ablations; FaDE with its rivals. No panel has more than `MOST` methods.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pandas as pd

from analysis import missing
from analysis.load import RESCORE, Setting
from analysis.style import FAIR, order, parts, printed
from bench.store.spec import scale_typed

MOST = 8
UNTRAINED = ("random", "largest")  # what needs no supernet and has no opinion
SIZES = ("parameters", "multiply-adds")  # estimates that cost nothing
BEST_OF = r"random-best-of-\d+$"  # ranks the few that it trains

PANELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "RSPS, whole and cut",
        ("rsps", "rsps-longer", "rsps-per-cell", "fewshot-rsps", "gm-rsps", "gm-rsps-random"),
    ),
    (
        "DARTS 2nd order, whole and cut",
        ("darts-2nd", "darts-2nd-longer", "fewshot", "gm-darts", "gm-darts-random", "gm-darts-no-restart"),
    ),
    ("SNAS, whole and cut", ("snas", "snas-longer", "fewshot-snas", "gm-snas")),
    ("DARTS 1st order and HEP-NAS", ("darts", "hep", "hep-no-smd", "hep-parent", "hep-siblings")),
    ("HEP-NAS: edges and order", ("hep", "hep-edgewise", "hep-reversed", "hep-random-order")),
    (
        "FaDE and its rivals",
        ("random-best-of-10", "fade", "fade-dependent", "fade-unregularised", "fade-random", "bayes"),
    ),
)


def panels(labels: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Titles and labels of the panels that show them all: one without a title where `MOST` suffice. A panel that
    would repeat others alone is left out; labels without a panel follow in some of their own."""
    present = sorted(set(labels), key=order)
    if len(present) <= MOST:
        return [("", present)] if present else []
    made: list[tuple[str, list[str]]] = []
    seen: set[str] = set()
    for title, members in PANELS:
        inside = [label for label in present if parts(label)[0] in members and parts(label)[1] in ((), (FAIR,))]
        if set(inside) - seen:
            made.append((title, inside[:MOST]))
            seen |= set(inside[:MOST])
    rest = [label for label in present if label not in seen]
    chunks = [rest[at : at + MOST] for at in range(0, len(rest), MOST)]
    return made + [("Others", chunk) for chunk in chunks]


def fitting(data: pd.DataFrame, wanted: Sequence[str], most: int) -> tuple[pd.DataFrame, str]:
    """The rows of at most `most` of the methods, and a sentence for the caption that names the others, empty where
    there are none: methods that the figure wants come first, then their other settings."""

    def wish(label: str) -> tuple[int, tuple[int, int, bool, str]]:
        return 0 if label in wanted else 1 if parts(label)[0] in wanted else 2, order(label)

    by_wish = sorted(set(data["label"]), key=wish)
    left = ", ".join(map(printed, sorted(by_wish[most:], key=order)))
    return data[data["label"].isin(by_wish[:most])], f" For want of room without {left}." if left else ""


def fair(labels: Iterable[str]) -> list[str]:
    """The same methods at the budget of their base."""
    return [f"{label}({FAIR})" for label in labels]


def gaps(name: str, setting: Setting, rows: pd.DataFrame, wanted: Sequence[str]) -> list[str]:
    """The line for runs that the figure `name` wants and `rows` lack, with the command that makes them: those of the
    setting's study, or methods that no study has at this setting."""
    whole = replace(setting, target="")  # of all targets alike: figures of each give the same line
    absent = [label for label in wanted if label not in set(rows["label"])]
    found = missing.progress(setting, rows, wanted)
    if not absent or (found is not None and set(absent) <= set(found.study.labels)):
        return missing.lines(name, whole, rows, wanted)
    scale = scale_typed(setting.scale)
    if not scale:  # a search on a table, which `run` does not make
        return []
    words = " ".join(shlex.quote(label) for label in absent)
    where = f"--space {setting.space} --dataset {setting.dataset} {scale}"
    command = f"python -m bench run {where} --methods {words}"
    return [f"{name} {whole.slug}: no run of {', '.join(absent)}; `{command}`, then {RESCORE}"]


def mark(setting: Setting, rows: pd.DataFrame, labels: Iterable[str]) -> str:
    """`n of N runs` of the study that makes these labels, for the figure; empty where all are there. An empty label is
    that of a line of reference, which no run makes."""
    found = missing.progress(setting, rows, set(labels) - {""})
    return "" if found is None else found.mark


def further(setting: Setting, rows: pd.DataFrame, labels: Iterable[str]) -> str:
    """A sentence for the caption on those of the labels that have no runs, and no study that would make them."""
    found = missing.progress(setting, rows, set(labels))
    return f"{found.further}." if found is not None and found.further else ""
