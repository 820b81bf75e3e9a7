"""Ours beside the published number: the notes of a cell, its data, and the letters that give reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis import published
from analysis.load import Setting
from analysis.tables.columns import Column

VERDICTS = (
    "Behind a cell stands what a paper prints for the method, or what follows from files that its authors released, "
    "and the verdict: within, where the published value lies in our "
    "interval or our mean within one published standard deviation of it; above or below otherwise; not comparable for "
    "the reasons that letters stand for."
)


def beside(
    column: Column, rows: pd.DataFrame, label: str, setting: Setting, reasons: dict[str, str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Our mean beside the published number: as data, and as the notes of a cell. `reasons` collects why two numbers
    are not comparable under the letters that notes use."""
    mean = column.mean(rows)
    numbers = {"quantity": column.source, "unit": column.unit, **vars(mean), "std": column.std(rows)}
    theirs = published.find(setting.space, label, setting.target, column.source)
    if theirs is None:
        return numbers, ()
    said = published.verdict(mean, theirs, setting, rows["scale_numbers"].iloc[0])
    letters = ", ".join(reasons.setdefault(reason, _letter(len(reasons))) for reason in said.why)
    notes = (f"published {theirs.text}", f"{said.word} {letters}".rstrip())
    told = {
        "published": theirs.value,
        "published_std": theirs.std,
        "published_name": theirs.name,
        "published_where": f"{theirs.paper}, {theirs.where}",
        "published_source": theirs.source,
        "confidence": theirs.confidence,
        "verdict": said.word,
        "why": "; ".join(said.why),
    }
    return {**numbers, **told}, notes


def cost_beside(
    column: Column, rows: pd.DataFrame, label: str, setting: Setting, targets: list[str], reasons: dict[str, str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Our seconds beside the published ones, which are those of other devices and never comparable."""
    numbers = {"quantity": column.source, "unit": column.unit, **vars(column.mean(rows))}
    costs = [p for p in published.of_space(setting.space) if (p.label, p.quantity) == (label, "cost")]
    known = [p for p in costs if p.target in targets]
    theirs = next((p for p in known if p.value is not None), None)
    if column.source != "device_s" or theirs is None or theirs.value is None:
        return numbers, ()
    why = "seconds of another device"
    letter = reasons.setdefault(why, _letter(len(reasons)))
    told = {
        "published": theirs.value,
        "published_name": theirs.name,
        "published_where": f"{theirs.paper}, {theirs.where}",
        "published_source": theirs.source,
        "confidence": theirs.confidence,
        "verdict": "not comparable",
        "why": why,
    }
    notes = (f"published {theirs.value:,.0f} {theirs.unit}", f"not comparable {letter}")
    return {**numbers, **told}, notes


def legend(reasons: Mapping[str, str], setting: Setting, targets: list[str]) -> str:
    """What the letters stand for; or that no paper has such numbers."""
    if not any(p.target in targets for p in published.of_space(setting.space)):
        what = f"{setting.space} on {', '.join(targets)}"
        return f"No paper prints numbers for {what}, so there is no published number and no verdict."
    return (
        f"Not comparable: {'; '.join(f'{letter} {reason}' for reason, letter in reasons.items())}." if reasons else ""
    )


def _letter(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else f"r{number}"
