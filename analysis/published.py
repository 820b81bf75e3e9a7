"""What the papers print, beside what we measure: the numbers of `published.csv` and the verdict on each of ours.

Every number there names its table or figure, the source it was taken from and how sure that is. What nobody could
find stays "not found"; what somebody merely remembers is not in the file, and is refused if it ever is.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from analysis.load import Setting
from analysis.stats import LEAST_RUNS, Mean
from bench.errors import BadRecord

FILE = Path(__file__).parent / "published.csv"
NOT_FOUND = "not found"
APPROXIMATE = "read off figure (approximate)"
FROM_FILES = "computed by us from author-released files"
CONFIDENCES = (
    "reported by a third page",
    APPROXIMATE,
    "read in author log",
    "printed in the authors' repository",
    "read in issue thread",
    FROM_FILES,
    NOT_FOUND,
)
OFFICIAL = {"nb201": ("NAS-Bench-201", ("nb201", "nas-bench-201", "nats-tss", "naslib-nb201"))}
"""By space, whose accuracies the papers print, and how the names of tables begin that hold them: those converted from
official files."""
COLUMNS = (
    "space",
    "label",
    "name",
    "target",
    "quantity",
    "unit",
    "value",
    "std",
    "paper",
    "where",
    "source",
    "confidence",
)

Word = Literal["within", "above", "below", "not comparable"]


@dataclass(frozen=True)
class Published:
    """One number of a paper. value is None where it is not found."""

    space: str  # empty where it is of none that is here
    label: str  # our method of the same kind; empty for a method that we do not run
    name: str  # as the source prints it
    target: str
    quantity: str  # a column of our frame, or "cost"
    unit: str
    value: float | None
    std: float | None  # over the paper's runs
    paper: str
    where: str  # table or figure
    source: str  # where it was read
    confidence: str

    @property
    def _digits(self) -> int:
        return 2 if self.unit == "%" else 3

    @property
    def half(self) -> float:
        """Half a unit of the last digit that is printed, or as far as a reading off a figure may be wrong: less than
        that is no difference."""
        if self.confidence == APPROXIMATE:
            return 1.0 if self.unit == "%" else 0.05
        return 0.5 * 10.0**-self._digits

    @property
    def text(self) -> str:
        """The number as it is printed: `54.30 ± 0.00`, `≈ 87`, `not found`."""
        if self.value is None:
            return NOT_FOUND
        digits = self._digits
        text = f"{self.value:g}" if self.confidence == APPROXIMATE else f"{self.value:.{digits}f}"
        about = "\N{ALMOST EQUAL TO} " if self.confidence == APPROXIMATE else ""
        return about + text + ("" if self.std is None else f" \N{PLUS-MINUS SIGN} {self.std:.{digits}f}")


@dataclass(frozen=True)
class Verdict:
    """How one of our means stands to a published number."""

    word: Word
    why: tuple[str, ...] = ()  # of "not comparable"


@lru_cache
def published() -> tuple[Published, ...]:
    """All numbers, in the order of the file."""
    return read(FILE)


def read(path: Path) -> tuple[Published, ...]:
    """The numbers in a file. Raises BadRecord in one line at the first that says too little, or is only remembered."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = csv.DictReader(stream)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise BadRecord(f"{path} has columns {rows.fieldnames}; it takes {', '.join(COLUMNS)}")
        return tuple(_checked(row, f"{path} line {number}") for number, row in enumerate(rows, 2))


def of_space(space: str) -> tuple[Published, ...]:
    """The numbers of a space, and those of none that is here."""
    return tuple(p for p in published() if p.space in (space, ""))


def find(space: str, label: str, target: str, quantity: str) -> Published | None:
    """The first number of a space for one of our methods, one that was found before one that was not."""
    known = [p for p in of_space(space) if (p.label, p.target, p.quantity) == (label, target, quantity)]
    return next((p for p in known if p.value is not None), known[0] if known else None)


def verdict(ours: Mean, theirs: Published, setting: Setting, scale: Mapping[str, Any]) -> Verdict:
    """Within where the published value lies in our interval over seeds, or our mean within one published standard
    deviation of it; else above or below. Not comparable where space, scale, images or truth are others than the
    paper's, where either number is missing, or where we have fewer than three runs."""
    why = list(differences(setting, scale, theirs))
    if theirs.value is None:
        why.append("the published number was not found")
    if ours.mean is None:
        why.append("no run of ours has it")
    elif ours.low is None or ours.high is None:
        why.append(f"fewer than {LEAST_RUNS} runs of ours")
    if why or theirs.value is None or ours.mean is None or ours.low is None or ours.high is None:
        return Verdict("not comparable", tuple(why))
    near = theirs.std is not None and abs(ours.mean - theirs.value) <= theirs.std
    if ours.low - theirs.half <= theirs.value <= ours.high + theirs.half or near:
        return Verdict("within")
    return Verdict("above" if ours.mean > theirs.value else "below")


def differences(setting: Setting, scale: Mapping[str, Any], theirs: Published) -> Iterable[str]:
    """What of a setting is not as where the number comes from: each a reason not to compare. All numbers of the file
    are of searches on CIFAR-10."""
    title, tables = OFFICIAL.get(theirs.space, ("", ()))
    if not theirs.space:
        yield "the paper's is of another space"
    elif setting.space != theirs.space:
        yield f"space {setting.space}, the paper's {theirs.space}"
    elif title and setting.truth and not setting.truth.startswith(tables):
        yield f"scored by {setting.truth}, the paper by {title}"
    if theirs.confidence == FROM_FILES:
        yield "the released files are of a training on other images, for other epochs"
    if setting.scale != "paper":
        yield (
            f"scale {setting.scale}: {scale['channels']} channels, cells per stage {scale['cells']}, "
            f"{scale['train_images']:,} training images, {scale['epochs']:g} of the papers' epochs"
        )
    if setting.dataset != "cifar10":
        yield f"searched on {setting.dataset}, the paper on cifar10"
    if setting.target and setting.target != theirs.target:
        yield f"scored on {setting.target}, the paper on {theirs.target}"


def _checked(row: Mapping[str, str], place: str) -> Published:
    confidence = row["confidence"]
    if confidence not in CONFIDENCES:
        raise BadRecord(
            f"{place}: a number of confidence {confidence!r} is not printed; known: {', '.join(CONFIDENCES)}"
        )
    if (confidence == NOT_FOUND) != (row["value"] == ""):
        raise BadRecord(f"{place}: a value and 'not found' exclude each other")
    if confidence != NOT_FOUND and not (row["where"] and row["source"]):
        raise BadRecord(f"{place}: a published number names its table or figure and its source")
    numbers = {name: float(row[name]) if row[name] else None for name in ("value", "std")}
    return Published(**{**{name: row[name] for name in COLUMNS}, **numbers})  # type: ignore[arg-type]
