"""The sentences that captions share: what was searched and scored, at which scale, by which truth, how often.

A caption has three sentences: what is found, how it is read, and what it holds for. Behind a rule stand its notes: the
setting in full, seeds, exceptions, where everything drawn is defined, and the command.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import missing, stats
from analysis.links import FIGURES, link
from analysis.load import TRAINED, Setting, is_searched
from analysis.style import order, printed

INTERVALS = (
    f"Unless another kind is named, brackets and bars are {stats.CONFIDENCE:.0%} percentile bootstrap intervals of the "
    f"mean over seeds ({stats.RESAMPLES:,} resamples, fixed seed); fewer than {stats.LEAST_RUNS} runs get none. With "
    "few seeds the intervals are too narrow: for normally distributed values a nominal 95% interval contains the true "
    "mean in 75% of cases with three seeds and 84% with five."
).replace("%", " %")
RULE = "\n---\n"
SIZES = (
    "Multiply-adds leave out operations that cannot reach the cell's output, the parameter count takes in all: so the "
    "two can rank differently."
)


def setting_of(setting: Setting, rows: pd.DataFrame) -> str:
    """Space, image set, targets, scale with its numbers, and truth with its checksum and coverage; of a setting
    without a truth what there is."""
    scale = f"Scale {setting.scale}: {scale_numbers(rows['scale_numbers'].iloc[0])}.{_fewer(rows)}"
    if not setting.truth:  # the search alone
        return f"Space {setting.space}, searched on {setting.dataset}. {scale}"
    targets = [setting.target] if setting.target else sorted(set(rows["target"]))
    sums = sorted(set(zip(rows["target"], rows["truth_checksum"], rows["truth_coverage"], strict=True)))
    by_sum: dict[tuple[str, float], list[str]] = {}
    for target, checksum, coverage in sums:
        by_sum.setdefault((checksum, coverage), []).append(target)
    truth = "; ".join(
        f"checksum {checksum}, {coverage:.1%} of them known".replace("%", " %")
        + (f", for {', '.join(names)}" if len(by_sum) > 1 else "")
        for (checksum, coverage), names in by_sum.items()
    )
    return (
        f"Space {setting.space}, searched on {setting.dataset}, scored on {', '.join(targets)}. "
        f"{scale} Truth {setting.truth}: {_kind(setting)} accuracies of {setting.population} architectures ({truth})."
    )


def brief(setting: Setting, rows: pd.DataFrame) -> str:
    """What a caption holds for, in a sentence: the setting by its names, and how many seeds."""
    counts = [stats.count(rows[rows["label"] == label], "done") for label in sorted(set(rows["label"]))]
    low, high = min(counts, default=0), max(counts, default=0)
    runs = _many(high, "seed") if low == high else f"{low} to {high} seeds"
    own = is_searched(setting.dataset, setting.target)
    scored = f", {setting.target}" if setting.target and not own else ""
    by = f", scored by {setting.truth}" if setting.truth else ""
    return f"It holds for {setting.space} on {setting.dataset}{scored} at scale {setting.scale}{by}, {runs}, alone."


def folded(caption: str, notes: str) -> str:
    """A caption with its notes behind a rule, in Markdown."""
    return f"{caption}\n{RULE}\n{notes}"


def unfolded(text: str) -> tuple[str, str]:
    """A caption, or a page that ends with one, and its notes."""
    before, _, notes = text.partition(RULE)
    return before, notes.lstrip("\n")


def among(rows: pd.DataFrame) -> str:
    """Which architectures ranks and means of one setting are stated of: `all 15,625`, `240 sampled`; where the truth
    lacks some of them `12,000 known of all 15,625`, where targets differ in that the population alone."""
    population = str(rows["population"].iloc[0])
    known = set(rows["ranked"].dropna())
    if len(known) != 1 or rows["truth_coverage"].min() >= 1:
        return population
    return f"{known.pop():,.0f} known of {population}"


def made_with(rows: pd.DataFrame) -> str:
    """On which devices, and by how many states of the sources: seconds of two of them cannot be compared."""
    versions = len(set(rows["code"]) - {""})
    said = f"Devices: {', '.join(sorted(set(rows['device'])))}."
    if versions > 1:
        said += f" Seconds are of {versions} versions of the program, which need not be equally fast."
    if (most := rows["sharing"].max()) > 1:
        said += f" Up to {most} runs shared a GPU, so its seconds hold the others' work."
    return said


def scale_numbers(scale: Mapping[str, Any]) -> str:
    """What a scale's name stands for, in words."""
    if scale["name"] == "table":  # of NASLib's searches: bench.adapters.naslib
        return (
            f"validation accuracies of networks trained alone ({scale['channels']} channels, "
            f"{_many(scale['cells'], 'cell')} a stage) are looked up in a table; nothing is trained, no image is passed"
        )
    probe = f"{scale['probe']:,} architectures" if scale["probe"] else "the whole population"
    return (
        f"{scale['channels']} channels, {_many(scale['cells'], 'cell')} a stage, {scale['train_images']:,} training "
        f"and {scale['valid_images']:,} validation images, {scale['epochs']:g} of the papers' epochs, "
        f"probe of {probe} on {_images(scale)}"
    )


def seeds(rows: pd.DataFrame) -> str:
    """How many runs each method has, and which diverged."""
    labels = sorted(set(rows["label"]), key=order)
    done = {label: stats.count(rows[rows["label"] == label], "done") for label in labels}
    usual = max(done.values(), key=list(done.values()).count)
    odd = [f"{printed(label)}: {n}" for label, n in done.items() if n != usual]
    text = f"{_many(usual, 'seed')} for each method" + (f" ({'; '.join(odd)})" if odd else "") + "."
    lost = [(label, stats.count(rows[rows["label"] == label], "diverged")) for label in labels]
    diverged = [f"{printed(label)}: {n}" for label, n in lost if n]
    return text + (f" Diverged and left out of every mean: {'; '.join(diverged)}." if diverged else "")


def usually(values: Mapping[str, str]) -> str:
    """What methods have, by label: `0 in every panel`, or the most frequent value and then `; RSPS: 2; DARTS: 1`."""
    usual = max(values.values(), key=list(values.values()).count)
    odd = "; ".join(f"{printed(label)}: {value}" for label, value in values.items() if value != usual)
    return f"{usual} in every panel" + (f" but {odd}" if odd else "")


def asked(rows: pd.DataFrame) -> str:
    """How many trained networks searches on a table were told the accuracy of; nothing where none was."""
    known = stats.done(rows).dropna(subset=["asked"])
    if known.empty:
        return ""
    means = known.drop_duplicates("key").groupby("label")["asked"].mean()
    told = "; ".join(f"{printed(label)}: {means[label]:,.0f}" for label in sorted(means.index, key=order))
    return (
        "These searches are not free: each was told the validation accuracies of so many different architectures, "
        f"trained alone (mean over runs), and no cost that is printed includes those trainings: {told}."
    )


@dataclass(frozen=True)
class Words:
    """What the captions of one kind of figure share: the name of its files, a head, and how it is read."""

    name: str
    head: str
    read: str


def text(
    words: Words,
    setting: Setting,
    rows: pd.DataFrame,
    root: Path,
    partial: str = "",
    more: str = "",
    found: str = "",
) -> str:
    """A figure's caption in Markdown: what it is, what it finds, how it is read and what it holds for; in its notes
    the setting in full, what is special about this one, where everything drawn is defined, and the command."""
    shown = f"Not all runs are there yet: {partial}." if partial else ""
    of = " ".join(filter(None, (setting_of(setting, rows), seeds(rows), more, shown)))
    ends = f"Definitions: {link(FIGURES, words.name, root)}. Made by: `{command(root)}`\n"
    said = " ".join(filter(None, (f"**{words.head}**", found, words.read, brief(setting, rows))))
    return folded(said, "\n\n".join([of, ends]))


def progress(setting: Setting, rows: pd.DataFrame, methods: Sequence[str] = ()) -> str:
    """`Partial: 12 of 40 runs of study nb201 are in it.`, and how many methods have no study; nothing where none is
    missing."""
    found = missing.progress(setting, rows, methods)
    if found is None:
        return ""
    said = (f"Partial: {found.mark} are in it." if found.mark else "", f"{found.further}." if found.further else "")
    return " ".join(filter(None, said))


def command(root: Path) -> str:
    """The command that makes everything from the results in `root`."""
    return f"python -m analysis{option(root)}"


def option(root: Path) -> str:
    """What a command needs behind it to find the results in `root`: nothing where that is where it looks anyway."""
    return "" if root == Path("results") else f" --results {shlex.quote(root.as_posix())}"


def _kind(setting: Setting) -> str:
    """Of the truth, in words."""
    return "trained networks'" if setting.kind == TRAINED else f"a {setting.kind}'s"


def _fewer(rows: pd.DataFrame) -> str:
    """How many images searches saw, where the set has fewer than the scale asks for."""
    scale, seen = rows["scale_numbers"].iloc[0], rows["searched_images"].iloc[0]
    if not seen or tuple(seen) == (scale["train_images"], scale["valid_images"]):
        return ""
    return f" The image set is smaller: searches saw {seen[0]:,} training and {seen[1]:,} validation images."


def _images(scale: Mapping[str, Any]) -> str:
    """The validation images of one estimate, and which they are where they are drawn."""
    if not scale["probe_images"]:
        return "all validation images"
    drawn = ", drawn anew for every seed" if scale.get("draw") == "stratified" else ""
    return f"{scale['probe_images']:,} images{drawn}"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
