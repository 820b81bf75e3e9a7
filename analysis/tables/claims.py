"""The central claim of each paper as a paired comparison, with its interval and a verdict; and whether each search
beats an architecture drawn at random."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import groups, stats
from analysis.load import Setting, settings, targets_of
from analysis.missing import lines
from analysis.output import Drawn
from analysis.style import order, printed
from analysis.tables import pairing
from analysis.tables.columns import Column, shared
from analysis.tables.fade import ordered, with_rounds
from analysis.tables.grid import UNKNOWN, Cell, Grid
from analysis.tables.sheet import Sheet, describe
from bench.store.record import Results

TAU = Column("tau", "tau", "", 3, interval=True)
TAU_TOP = Column("tau_top10", "tau in the top 10 %", "", 3, interval=True)
TEST = Column("test", "test accuracy (points)", "points", 2, interval=True)
CORRELATION = Column("rank_correlation", "Spearman of FaDE-ranks", "", 3, interval=True)
BEATEN = Column("beaten", "share of architectures beaten", "", 3, interval=True)
CERTAIN = ("largest", *groups.SIZES)
"""Methods that choose without chance: every run of one has the same choice."""
OURS = "Better than random?"
"""The title of comparisons that are no paper's claims."""


@dataclass(frozen=True)
class Claim:
    """`first` has more of a quantity than `second`; where there is no second, more than chance gives."""

    paper: str
    words: str
    first: str
    second: str
    column: Column

    @property
    def chance(self) -> float:
        """What there is of the quantity without any search: a random architecture beats half of the others."""
        return 0.5 if self.column is BEATEN else 0.0


CLAIMS = (
    Claim("DARTS", "the second order chooses better than the first", "darts-2nd", "darts", TEST),
    Claim(
        "Few-Shot NAS", "sub-supernets rank better than one supernet trained longer", "fewshot-rsps", "rsps-longer", TAU
    ),
    Claim("Few-Shot NAS", "the same among the best architectures", "fewshot-rsps", "rsps-longer", TAU_TOP),
    Claim("Few-Shot NAS", "sub-supernets choose better than one trained longer", "fewshot", "darts-2nd-longer", TEST),
    Claim("Few-Shot NAS", "sub-supernets choose better than one trained longer", "fewshot-snas", "snas-longer", TEST),
    Claim("GM-NAS", "gradient matching ranks better than a random cut", "gm-rsps", "gm-rsps-random", TAU),
    Claim("GM-NAS", "gradient matching chooses better than a random cut", "gm-rsps", "gm-rsps-random", TEST),
    Claim("GM-NAS", "gradient matching chooses better than a random cut", "gm-darts", "gm-darts-random", TEST),
    Claim("GM-NAS", "cutting by gradients chooses better than exhaustively", "gm-darts", "fewshot", TEST),
    Claim("HEP-NAS", "mutual distillation chooses better than none", "hep", "hep-no-smd", TEST),
    Claim("HEP-NAS", "hierarchies choose better than single edges", "hep", "hep-edgewise", TEST),
    Claim("HEP-NAS", "the hierarchical search chooses better than GM-NAS", "hep", "gm-darts", TEST),
    Claim("FaDE", "FaDE-ranks of random cells correlate with the truth", "fade-random", "", CORRELATION),
    Claim("FaDE", "the pseudo-gradient chooses better than random cells", "fade", "fade-random", TEST),
)
METHODS = tuple(dict.fromkeys(label for c in CLAIMS for label in (c.first, c.second) if label))
HEADS = (
    "Paper",
    "Claim",
    "First",
    "Second",
    "quantity",
    "n pairs",
    "first less second",
    "p",
    "P(better)",
    "images, first / second",
    "verdict",
)
CHAPTER = "claims"
READ = (
    "Each line compares two methods from the same seeds: the verdict is for where the interval of the difference lies "
    "above 0, and against where it lies below."
)
DEFINITIONS = (
    "Each line compares two methods that were run from the same seeds. Verdict: for, where the interval of the mean "
    "difference lies above 0; against, where it lies below; undecided otherwise, or with too few pairs. It is a "
    "verdict at this scale, on these images, and on no other. Tau is Kendall's tau-b of estimates with test accuracy "
    "over the probe; test accuracy is that of the method's own choice; Spearman of FaDE-ranks is within "
    "hyper-architectures, compared with 0. The share of architectures beaten is of all that the truth knows, ties "
    "counting half, compared with the 0.5 of one drawn at random; P(better) is its mean. Images, first / second: how "
    "many times the images of the second the first passed through supernets: a claim at unequal cost is a weaker one. "
    "A method that chooses without chance (the largest architecture, and both sizes) has one value whatever the seed: "
    "that it lies above or below 0.5 is known without an interval, and decides the verdict. "
    "No correction is made for the number of lines."
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """Write one table for each setting in which some claim has runs, or something stands beside a random choice."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=False):
        if not {*METHODS, "random"} & set(rows["label"]):
            continue
        missing += lines("claims", setting, rows, (*METHODS, "random"))
        paths += sheet(setting, rows, results).write(results.root)
    return Drawn(tuple(paths), tuple(missing))


def compared(claim: Claim, rows: pd.DataFrame) -> tuple[stats.Paired, stats.Mean]:
    """The two sides of a claim on one target; a frame with `rank_correlation` where the claim is about it."""
    first = rows[rows["label"] == claim.first]
    if claim.second:
        return pairing.compared(first, rows[rows["label"] == claim.second], claim.column.source)
    values = pairing.by_seed(first, claim.column.source)
    found = stats.paired(values, dict.fromkeys(values, claim.chance))
    above = [float(v > claim.chance) + float(v == claim.chance) / 2 for v in values.values()]
    return found, stats.mean_of(values.values() if claim.column is BEATEN else above)


def beats_random(rows: pd.DataFrame) -> list[Claim]:
    """Every other method of one target against all architectures, as they would be drawn at random."""
    labels = sorted(set(rows["label"]) - {"random"}, key=order)
    return [Claim("", "chooses better than a random architecture", label, "", BEATEN) for label in labels]


def verdict_of(claim: Claim, found: stats.Paired, ran: bool) -> str:
    """The verdict on a claim: against chance the one value of a method without chance decides it."""
    value = found.difference.mean
    if not ran:
        return "not run"
    if claim.first in CERTAIN and not claim.second and value:
        return "for" if value > 0 else "against"
    return found.verdict


def sheet(setting: Setting, rows: pd.DataFrame, results: Results) -> Sheet:
    """The table of one setting: the claims, and every method against a random choice, for each target."""
    some = ordered(rows, results) if not with_rounds(rows).empty else rows.assign(rank_correlation=float("nan"))
    some = some.assign(images=some["forward_images"] + some["backward_images"])
    grids: list[Grid] = []
    data: list[dict[str, Any]] = []
    for one, part in targets_of(setting, some):
        for title, claims in (("Claims of the papers", list(CLAIMS)), (OURS, beats_random(part))):
            body = []
            for claim in claims:
                found, chance = compared(claim, part)
                first, second = (part[part["label"] == label] for label in (claim.first, claim.second))
                ratio = _ratio(first, second)
                texts = (
                    claim.paper,
                    claim.words,
                    printed(claim.first),
                    printed(claim.second) if claim.second else f"{claim.chance:g}",
                )
                cells = [*texts, claim.column.head, str(found.difference.n)]
                verdict = verdict_of(claim, found, ran=not first.empty and (not claim.second or not second.empty))
                told = pairing.cells(found, chance, claim.column)
                body.append(
                    (*map(Cell, cells), *told, Cell(UNKNOWN if ratio is None else f"{ratio:.2f}"), Cell(verdict))
                )
                line = {
                    **shared(one, claim.first, first),
                    "target": one.target,
                    "paper": claim.paper,
                    "claim": claim.words,
                }
                line |= {"second": claim.second, "quantity": claim.column.source, "unit": claim.column.unit}
                data.append({**line, **pairing.data(found, chance), "verdict": verdict, "images_ratio": ratio})
            if body:
                grids.append(Grid(f"{title}, {one.target}", HEADS, tuple(body)))
    words = describe("claims", READ, setting, rows, results.root, methods=(*METHODS, "random"))
    return Sheet("claims", setting, tuple(grids), words, pd.DataFrame(data))


def _ratio(first: pd.DataFrame, second: pd.DataFrame) -> float | None:
    a, b = (stats.mean_of(stats.done(rows)["images"]).mean for rows in (first, second))
    return None if a is None or not b else a / b
