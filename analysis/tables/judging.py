"""What the papers claim, as comparisons of two methods, and the verdict that the runs of one setting allow.

Pairs are of one seed: of arms that begin with one parent (`analysis/parents.py`) they differ in what follows it alone.
A method with draws of its own (`grouping.draw=3`) stands for itself with the mean over its draws. The p-values of all
claims of a setting are corrected together (Holm), each by the one measure that it names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from analysis import power, stats
from analysis.load import BOTH
from analysis.runs import record_of
from analysis.style import FAIR, parts
from analysis.tables import pairing
from analysis.tables.measures import BEATEN, CORRELATION, TAU_CE, TEST, UNSEEN_TAU, UNSEEN_TEST, Measure
from bench.runs.study import OWN, OWN_MACS, RIVALS_OF_OWN, RIVALS_OF_OWN_MACS, SWITCHES
from bench.store.labels import printed as label_of
from bench.store.parents import parent_of
from bench.store.record import Results

Verdict = Literal["for", "against", "equal", "undecided", "not comparable", "not run"]
CERTAIN = ("largest", "parameters", "multiply-adds")
"""Methods that choose without chance: every run of one has the same choice."""


@dataclass(frozen=True)
class Claim:
    """`first` has more of a measure than `second`; where there is no second, more than chance gives."""

    paper: str
    words: str
    first: str
    second: str
    measure: Measure

    @property
    def chance(self) -> float:
        """What there is of the measure without any search: a random architecture beats half of the others."""
        return 0.5 if self.measure is BEATEN else 0.0


@dataclass(frozen=True)
class Judged:
    """A claim with the rows of its sides, what their pairs say, and the verdict.

    corrected: Student's p after Holm's correction for `claims` tests; shown: the difference that these pairs find with
    power 0.8 at the first step of that correction, as far as the deviation that they show is the true one. why: of a
    comparison that is refused, the reason.
    """

    claim: Claim
    first: pd.DataFrame
    second: pd.DataFrame
    found: stats.Paired
    chance: stats.Mean
    corrected: float | None = None
    claims: int = 0
    shown: float | None = None
    verdict: Verdict = "not run"
    why: str = ""

    @property
    def level(self) -> float:
        """Of the first step of the correction."""
        return power.LEVEL / max(1, self.claims)

    @property
    def one_parent(self) -> bool | None:
        """Whether both sides begin with one parent; None against chance."""
        if not self.claim.second or self.first.empty or self.second.empty:
            return None
        parents = {parent_of(method) for side in (self.first, self.second) for method in side["method_id"]}
        return None not in parents and len(parents) == 1

    def ratio(self, column: str) -> float | None:
        """How many times the images, or multiply-adds, of the second the first takes."""
        a, b = (stats.mean_of(stats.done(rows)[column]).mean for rows in (self.first, self.second))
        return None if a is None or not b else a / b


_GROUPS, _EDGE = {"grouping.groups": "random"}, {"edges.by": "random"}
_LONGER = "sub-supernets {} better than one supernet trained longer"
_CONTINUED = "sub-supernets {} better than their parent trained on"
FROM_ONE_PARENT = (
    ("", "a supernet that is trained on {} better than before", "then-whole", "gumbel"),
    (
        "Few-Shot NAS",
        "a cut into operations {} better than the parent trained on",
        "then-few-shot",
        "then-whole",
    ),
    ("GM-NAS", "a cut into two groups by gradients {} better than the parent trained on", "then-gm", "then-whole"),
    ("GM-NAS", "a cut into two groups by gradients {} better than one into operations", "then-gm", "then-few-shot"),
    ("GM-NAS", "a grouping by gradients {} better than a random one of the same edge", "then-gm", "then-random-groups"),
    ("GM-NAS", "a cut by gradients {} better than a random one", "then-gm", "then-random"),
    ("GM-NAS", "starting anew after the cut {} better than going on", "then-gm-afresh", "then-gm"),
)
"""Arms of `methods/continuations.py`: paper, words, first, second."""


def of_own(own: Sequence[str], rivals: Sequence[str]) -> tuple[Claim, ...]:
    """That a search of our own, where there is one, ranks and chooses better than each of its rivals at one budget.
    FaDE ranks the cells of a round alone, so there is no ranking to compare."""
    return tuple(
        Claim("Ours", f"the search of our own {verb} better", label, rival, measure)
        for label in own
        for rival in rivals
        for verb, measure in (("ranks", UNSEEN_TAU), ("chooses", UNSEEN_TEST))
        if measure is UNSEEN_TEST or not rival.startswith("fade")
    )


CLAIMS = (
    Claim("DARTS", "the second order chooses better than the first", "darts-2nd", "darts", TEST),
    Claim("Few-Shot NAS", _CONTINUED.format("rank"), "fewshot-rsps", "rsps-continued", TAU_CE),
    Claim("Few-Shot NAS", _CONTINUED.format("choose"), "fewshot-rsps", "rsps-continued", TEST),
    Claim("Few-Shot NAS", _LONGER.format("rank"), "fewshot-rsps", "rsps-longer", TAU_CE),
    Claim("Few-Shot NAS", _LONGER.format("rank"), "fewshot-snas", "snas-longer", TAU_CE),
    Claim("Few-Shot NAS", _LONGER.format("choose"), "fewshot-snas", "snas-longer", TEST),
    Claim("Few-Shot NAS", _LONGER.format("choose"), "fewshot", "darts-2nd-longer", TEST),
    Claim(
        "GM-NAS",
        "gradient matching ranks better than random groups of the same edge",
        "gm-rsps",
        label_of("gm-rsps", _GROUPS),
        TAU_CE,
    ),
    Claim("GM-NAS", "gradient matching ranks better than a random cut", "gm-rsps", "gm-rsps-random", TAU_CE),
    Claim("GM-NAS", "gradient matching chooses better than a random cut", "gm-rsps", "gm-rsps-random", TEST),
    Claim("GM-NAS", "gradient matching chooses better than a random cut", "gm-darts", "gm-darts-random", TEST),
    Claim(
        "GM-NAS",
        "the edge of the largest cut ranks better than a random one",
        "gm-rsps",
        label_of("gm-rsps", _EDGE),
        TAU_CE,
    ),
    Claim("GM-NAS", "the edge of the largest cut chooses better than a random one", "gm-darts", SWITCHES[0], TEST),
    Claim("GM-NAS", "cutting by gradients chooses better than exhaustively", "gm-darts", "fewshot", TEST),
    Claim(
        "GM-NAS",
        "a restart after the last cut ranks better than none",
        "gm-rsps",
        label_of("gm-rsps", {"restart": "false"}),
        TAU_CE,
    ),
    Claim(
        "GM-NAS",
        "a restart after the last cut chooses better than none",
        "gm-darts",
        "gm-darts-no-restart",
        TEST,
    ),
    *(
        Claim(paper, words.format(verb), first, second, measure)
        for paper, words, first, second in FROM_ONE_PARENT
        for verb, measure in (("ranks", TAU_CE), ("chooses", TEST))
    ),
    Claim("HEP-NAS", "mutual distillation chooses better than none", "hep", "hep-no-smd", TEST),
    Claim("HEP-NAS", "hierarchies choose better than single edges", "hep", "hep-edgewise", TEST),
    Claim("HEP-NAS", "hierarchies choose better in their order than reversed", "hep", "hep-reversed", TEST),
    Claim("HEP-NAS", "hierarchies choose better in their order than in a random one", "hep", "hep-random-order", TEST),
    Claim(
        "HEP-NAS",
        "keeping the best children chooses better than keeping all",
        "hep",
        label_of("hep", {"keep": "all"}),
        TEST,
    ),
    Claim("HEP-NAS", "the hierarchical search chooses better than GM-NAS", "hep", "gm-darts", TEST),
    Claim("FaDE", "FaDE-ranks of random cells correlate with the truth", "fade-random", "", CORRELATION),
    Claim("FaDE", "the pseudo-gradient chooses better than random cells", "fade", "fade-random", TEST),
    *of_own(OWN, RIVALS_OF_OWN),
    *of_own(OWN_MACS, tuple(dict.fromkeys(label for labels in RIVALS_OF_OWN_MACS.values() for label in labels))),
)


def judged(claims: Sequence[Claim], rows: pd.DataFrame, results: Results) -> list[Judged]:
    """Every claim with its verdict by the rows of one setting and target."""
    compared = [_compared(claim, rows, results) for claim in claims]
    tests = [one.found.student if not one.why else None for one in compared]
    number = sum(p is not None for p in tests)
    found = zip(compared, stats.holm(tests), strict=True)
    return [_concluded(one, corrected, number) for one, corrected in found]


def side(rows: pd.DataFrame, label: str) -> pd.DataFrame:
    """The rows of a method of a claim, whatever it draws.

    Where a study has set it otherwise, those of the only configuration that all others of its name add to; but a claim
    of a paper is about the paper's own protocol.
    """
    drawless = rows["label"].map(without_draws)
    exact = rows[drawless == label]
    if not exact.empty:
        return exact
    name, wanted = parts(label)
    near = {one: set(parts(one)[1]) for one in set(drawless) if parts(one)[0] == name}
    near = {one: changes for one, changes in near.items() if set(wanted) <= changes and FAIR not in changes}
    least = [one for one, changes in near.items() if all(changes <= others for others in near.values())]
    return rows[drawless.isin(least[:1])]


def without_draws(label: str) -> str:
    """The label without what only says which draw a run has: `gm-rsps-random(edges.draw=2)` is `gm-rsps-random`."""
    name, changes = parts(label)
    kept = [change for change in changes if not change.partition("=")[0].endswith("draw")]
    return f"{name}({', '.join(kept)})" if kept else name


def difference(first: pd.DataFrame, second: pd.DataFrame, measure: Measure) -> stats.Paired:
    """First less second by seed, the mean of a method's draws where it has several."""
    return stats.paired(pairing.by_seed(first, measure.source), pairing.by_seed(second, measure.source))


def _compared(claim: Claim, rows: pd.DataFrame, results: Results) -> Judged:
    """A claim before its verdict."""
    first, source = side(rows, claim.first), claim.measure.source
    if claim.second:
        second = side(rows, claim.second)
        found, chance = pairing.compared(first, second, source)
        return Judged(claim, first, second, found, chance, why=_unlike(claim.measure, first, second, results))
    values = pairing.by_seed(first, source)
    found = stats.paired(values, dict.fromkeys(values, claim.chance))
    above = [float(v > claim.chance) + float(v == claim.chance) / 2 for v in values.values()]
    likely = stats.mean_of(values.values() if claim.measure is BEATEN else above)
    return Judged(claim, first, rows.iloc[:0], found, likely)


def _concluded(one: Judged, corrected: float | None, number: int) -> Judged:
    sd, n = one.found.sd, one.found.difference.n
    shown = None if not sd else power.smallest_difference(sd, n, power.LEVEL / max(1, number))
    told = {**vars(one), "corrected": corrected, "claims": number, "shown": shown}
    return Judged(**{**told, "verdict": _verdict(Judged(**told))})


def _verdict(one: Judged) -> Verdict:
    claim, difference, margin = one.claim, one.found.difference, one.claim.measure.margin
    if one.first.empty or (claim.second and one.second.empty):
        return "not run"
    if one.why:
        return "not comparable"
    if claim.first in CERTAIN and not claim.second and difference.mean:
        return "for" if difference.mean > 0 else "against"
    if difference.low is None or difference.high is None or difference.mean is None:
        return "undecided"
    if -margin <= difference.low and difference.high <= margin:
        return "equal"
    if one.corrected is not None and one.corrected < power.LEVEL:
        return "for" if difference.mean > 0 else "against"
    return "undecided"


def _unlike(measure: Measure, first: pd.DataFrame, second: pd.DataFrame, results: Results) -> str:
    """Why the runs of two sides cannot be compared: other budgets, or estimates made otherwise; or nothing."""
    budgets = [set(rows["protocol"]) - {BOTH} for rows in (first, second)]
    if len(budgets[0] | budgets[1]) > 1:
        told = (" and ".join(sorted(names)) or BOTH for names in budgets)
        return "budgets differ: {} against {}".format(*told)
    if not measure.of_estimates:
        return ""
    images = [_estimated_on(rows, results) for rows in (first, second)]
    if all(images) and (images[0] != images[1] or len(images[0]) > 1):
        told = (" and ".join(f"{count:,}" for count in sorted(counts)) for counts in images)
        return "estimates differ: on {} against {} images".format(*told)
    return ""


def _estimated_on(rows: pd.DataFrame, results: Results) -> set[int]:
    """On how many images the runs were estimated."""
    made = (record_of(results, str(key)).estimates for key in stats.done(rows)["key"])
    return {int(one["images"]) for one in made if one}
