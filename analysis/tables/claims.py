"""The claims of the papers as paired comparisons, each with its interval, what its pairs could have shown and a
verdict; the same pairs by every measure; and whether each search beats an architecture drawn at random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis import power
from analysis.load import Setting, settings, targets_of
from analysis.missing import lines
from analysis.output import Drawn
from analysis.style import order
from analysis.tables import pairing
from analysis.tables.columns import Column
from analysis.tables.contrasts import (
    CHOICE_HEADS,
    SAID,
    SPREAD_HEADS,
    by_every_measure,
    choices,
    described,
    measured,
    names,
    number,
    pairs_of,
    spread,
    unpaired,
)
from analysis.tables.fade import ordered, with_rounds
from analysis.tables.grid import UNKNOWN, Cell, Grid
from analysis.tables.judging import CLAIMS, Claim, Judged, difference, judged, without_draws
from analysis.tables.measures import BEATEN, EVERY, with_cross_entropy
from analysis.tables.sheet import Sheet, describe
from bench.errors import counted
from bench.store.record import Results

OURS = "Better than random?"
"""The title of comparisons that are no paper's claims."""
METHODS = tuple(dict.fromkeys(label for c in CLAIMS for label in (c.first, c.second) if label))
COST = Column("", "", "", 2)
UNEQUAL = 1.1
"""A decided claim whose sides differ more than by this in images says so."""
HEADS = (
    "Paper",
    "Claim",
    "First",
    "Second",
    "measure",
    "n pairs",
    "first less second",
    "p",
    "p, Holm",
    "p, sign flips",
    "could show",
    "one parent",
    "images, first / second",
    "multiply-adds, first / second",
    "verdict",
)
CHAPTER = "claims"
READ = (
    "Each line compares two methods from the same seeds; the verdict takes all claims of the table into account, and "
    "could show says which difference these pairs would have found."
)
DEFINITIONS = (
    "Each line compares two methods that were run from the same seeds, by the measure that the claim names; a method "
    "with several draws (of groups, of an edge) stands with their mean. p is that of the paired Student test, whose "
    "interval is printed; p, Holm is corrected for all claims of the table that have one; p, sign flips supposes no "
    "normal differences, and with n pairs cannot be below 2^(1 - n). Could show: the true difference that so many "
    f"pairs find with power {power.WANTED:g} at the first step of that correction, if the deviation that they show is "
    "the true one: an undecided claim says nothing of smaller differences. Verdict: equal, where the interval lies "
    "within 0.02 of tau or 0.2 points of accuracy around 0, on whichever side: too small to matter; else for or "
    f"against, where the corrected p is below {power.LEVEL:g}; undecided otherwise, or with too few pairs; not "
    "comparable, where budgets or estimates differ. It is a verdict at this scale, on these images, and on no other. "
    "One parent: both sides begin with the same trained supernet, so that its luck is in neither. Images, "
    "multiply-adds, first / second: how many times those of the second the first took; a claim that is decided at "
    "unequal images says so, and is a weaker one. Ranking claims are judged by tau-b of the estimated cross-entropy, "
    "which is less noisy than that of accuracy and has hardly a tie. A search of our own, which was itself searched "
    "for, is judged by what that search did not see (unseen): where it looked at half of the cells, by tau over the "
    "other half and by the accuracy of the best estimate there; elsewhere by tau over the probe and by its choice. The "
    "same pairs by every measure: first less second with its interval, for reading, not for deciding: nothing there is "
    "corrected. Tau is over the probe; in "
    "the upper half: over those of its architectures that lie in the true upper half; given parameters: Kendall's "
    "partial correlation with the parameter count held fixed; each by estimated accuracy and by cross-entropy; test "
    "accuracy is that of the method's own choice. Choices: regret is the distance to the best architecture of the "
    "truth; a choice has collapsed that is worse than the mean of all architectures; P(first chooses better) is the "
    "probability of improvement. How the pairs vary: the standard deviation of the paired differences, with its "
    "interval from the chi-squared distribution, beside the deviation of a difference of unrelated runs (the square "
    "root of the sum of both variances over seeds), and the smallest differences that follow from each; pairs for a "
    "difference that matters: how many would find one of 0.02 of tau or 0.2 points. Spearman of FaDE-ranks is within "
    "hyper-architectures, compared with 0. Better than random: the share of architectures beaten is of all that the "
    "truth knows, ties counting half, compared with the 0.5 of one drawn at random, and corrected for the lines of "
    "that table. A method that chooses without chance (the largest architecture, and both sizes) has one value "
    "whatever the seed: that it lies above or below 0.5 is known without an interval."
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """Write one table for each setting in which some claim has runs, or something stands beside a random choice."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=False):
        some = of_claims(rows)
        if some.empty and "random" not in set(rows["label"]):
            continue
        missing += lines("claims", setting, rows, (*METHODS, "random"))
        made = sheet(setting, rows, results)
        missing += refused(setting, made.data)
        paths += made.write(results.root)
    return Drawn(tuple(paths), tuple(missing))


def of_claims(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of methods that some claim is about."""
    names = {label.partition("(")[0] for label in METHODS}
    return rows[rows["label"].map(lambda label: label.partition("(")[0] in names)]


def refused(setting: Setting, data: pd.DataFrame) -> list[str]:
    """A line for each claim whose sides cannot be compared."""
    some = data[data["why"].fillna("") != ""] if len(data) else data
    sides = zip(some.get("label", ()), some.get("second", ()), some.get("why", ()), strict=True)
    return [f"claims {setting.slug}: {first} and {second} are not comparable: {why}" for first, second, why in sides]


def costed(rows: pd.DataFrame, results: Results) -> pd.DataFrame:
    """The rows with what claims are judged by and what both sides cost: `rank_correlation`, `images`, `gmacs`."""
    some = ordered(rows, results) if not with_rounds(rows).empty else rows.assign(rank_correlation=float("nan"))
    return some.assign(
        images=some["forward_images"] + some["backward_images"],
        gmacs=[float(cost.get("gmacs", np.nan)) for cost in some["cost"]],
    )


def prepared(setting: Setting, rows: pd.DataFrame, results: Results) -> pd.DataFrame:
    """The rows with all that claims measure."""
    some = costed(rows, results)
    extended = with_cross_entropy(setting, of_claims(some), results)
    return some.join(extended[[name for name in extended if name not in some]])


def sheet(setting: Setting, rows: pd.DataFrame, results: Results) -> Sheet:
    """The table of one setting: for each target the claims, the same pairs by every measure, what they choose, how they
    vary, and every method against a random choice."""
    grids: list[Grid] = []
    data: list[dict[str, Any]] = []
    unrun = 0
    for one, part in targets_of(setting, prepared(setting, rows, results)):
        every = judged(CLAIMS, part, results)
        ran = [claim for claim in every if claim.verdict != "not run"]
        unrun = len(every) - len(ran)
        pairs = pairs_of(ran)
        found = [[difference(pair.first, pair.second, measure) for measure in EVERY] for pair in pairs]
        grids += [
            Grid(f"Claims of the papers, {one.target}", HEADS, tuple(map(_line, ran))),
            by_every_measure(one, pairs, found),
            Grid(f"What the pairs choose, {one.target}", CHOICE_HEADS, tuple(map(choices, pairs))),
            Grid(f"How the pairs vary, {one.target}", SPREAD_HEADS, tuple(spread(one) for one in ran if one.found.sd)),
        ]
        random = judged(beats_random(part), part, results)
        grids.append(Grid(f"{OURS}, {one.target}", HEADS, tuple(map(_line, random))))
        data += [_data(one, claim, "claim") for claim in ran] + [_data(one, claim, "random") for claim in random]
        data += [line for pair, each in zip(pairs, found, strict=True) for line in measured(one, pair, each)]
    text = f"{counted(unrun, 'further claim')} {'has' if unrun == 1 else 'have'} no runs here." if unrun else ""
    words = describe("claims", READ, setting, rows, results.root, (text,), methods=(*METHODS, "random"))
    return Sheet("claims", setting, tuple(grid for grid in grids if grid.rows), words, pd.DataFrame(data))


def beats_random(rows: pd.DataFrame) -> list[Claim]:
    """Every other method of one target against all architectures, as they would be drawn at random."""
    labels = sorted({without_draws(label) for label in rows["label"]} - {"random"}, key=order)
    return [Claim("", "chooses better than a random architecture", label, "", BEATEN) for label in labels]


def _line(one: Judged) -> tuple[Cell, ...]:
    """A claim of the first grid."""
    measure, found = one.claim.measure, one.found
    told, _, _ = pairing.cells(found, one.chance, measure)
    ps = (found.student, one.corrected, found.p)
    images = one.ratio("images") if one.claim.second else None
    unequal = images is not None and max(images, 1 / images) > UNEQUAL and one.verdict in ("for", "against")
    return (
        *map(Cell, (one.claim.paper, one.claim.words)),
        *names(one),
        Cell(measure.head),
        Cell(str(found.difference.n)),
        told,
        *(Cell(UNKNOWN if p is None else f"{p:.3f}") for p in ps),
        number(one.shown, measure),
        Cell(SAID[one.one_parent]),
        number(images, COST),
        number(one.ratio("gmacs") if one.claim.second else None, COST),
        Cell(one.verdict, notes=(f"at {images:.2f} times the images",) if unequal else ()),
    )


def _data(setting: Setting, one: Judged, role: str) -> dict[str, Any]:
    """A line of the first grid, or of the last, as numbers."""
    claim = one.claim
    return {
        **described(setting, one, claim.measure, role),
        "paper": claim.paper,
        "claim": claim.words,
        **pairing.data(one.found, one.chance),
        "p_student": one.found.student,
        "p_holm": one.corrected,
        "claims": one.claims,
        "sd": one.found.sd,
        "sd_unpaired": unpaired(one),
        "could_show": one.shown,
        "one_parent": one.one_parent,
        "images_ratio": one.ratio("images") if claim.second else None,
        "gmacs_ratio": one.ratio("gmacs") if claim.second else None,
        "verdict": one.verdict,
        "why": one.why,
    }
