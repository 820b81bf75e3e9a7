"""What the field's check-lists ask of a study, answered from records and scores alone: yes, partly or no, and why.

The items are those of Lindauer & Hutter (JMLR 2020), the NeurIPS and ACL check-lists, and the papers named at each.
An item that records cannot answer is answered no, whatever may be written elsewhere.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from analysis import caption, stats
from analysis.load import BOTH, RESCORE, base_of, is_searched, settings
from analysis.report.items import said
from analysis.report.markup import Table, verdict_of
from analysis.report.runs import protocol_of
from analysis.style import printed
from analysis.tables import claims
from bench.runs.study import ABLATIONS
from bench.store.record import Record
from bench.store.spec import canonical

Verdict = Literal["yes", "partly", "no"]
LEAST_PROBE = 200  # architectures below which a rank correlation says little about an order of methods
LIST, MAKE = "python -m bench list runs", "python -m analysis"


@dataclass(frozen=True)
class Facts:
    """What the answers are made from."""

    frame: pd.DataFrame
    records: Sequence[Record]
    failures: Sequence[Record]
    tables: Sequence[Table]
    root: Path


@dataclass(frozen=True)
class Answer:
    """One item: who asks what, whether it is met, by which evidence, and the command that shows it."""

    topic: str
    source: str
    asks: str
    verdict: Verdict
    evidence: str
    command: str


Found = tuple[Verdict, str, str]


def answers(facts: Facts) -> list[Answer]:
    """All items, in the order of the list below."""
    option = caption.option(facts.root)
    found = [(topic, source, asks, answer(facts)) for topic, source, asks, answer in _ITEMS]
    return [
        Answer(topic, source, asks, verdict, evidence, f"{command}{option}")
        for topic, source, asks, (verdict, evidence, command) in found
    ]


def _commit(facts: Facts) -> Found:
    clean = [r for r in facts.records if r.place.get("commit") and r.place.get("dirty") is False]
    digests = {r.place.get("code") for r in facts.records}
    return (
        _share(clean, facts.records),
        f"{_of(clean, facts.records)} records name a commit and were made from an unchanged work tree; "
        f"{_many(len(digests), 'digest')} of the sources",
        LIST,
    )


def _versions(facts: Facts) -> Found:
    names = ("python", "torch", "numpy")
    whole = [r for r in facts.records if all(r.place.get(name) for name in names)]
    sets = Counter(", ".join(f"{name} {r.place[name]}" for name in names) for r in whole)
    listed = "; ".join(f"{text} ({count})" for text, count in sorted(sets.items()))
    return _share(whole, facts.records), f"{_of(whole, facts.records)} records: {listed or 'none'}", _show(facts)


def _hardware(facts: Facts) -> Found:
    named = [r for r in facts.records if r.place.get("device_name")]
    devices: dict[str, set[str]] = defaultdict(set)
    for record in named:
        place = f"{record.identity['dataset']}, scale {record.identity['scale']['name']}"
        devices[place].add(str(record.place["device_name"]))
    mixed = [place for place, names in devices.items() if len(names) > 1]
    listed = "; ".join(f"{place}: {', '.join(sorted(names))}" for place, names in sorted(devices.items()))
    verdict = "partly" if mixed and len(named) == len(facts.records) else _share(named, facts.records)
    return verdict, f"{listed or 'no record names one'}. {_many(len(mixed), 'setting')} on several devices", LIST


def _repeatable(facts: Facts) -> Found:
    exact = [r for r in facts.records if r.place.get("device") == "cpu" and r.place.get("threads") == 1]
    return (
        _share(exact, facts.records),
        f"{_of(exact, facts.records)} runs on one CPU thread, where a run repeats to the bit; seeds name all streams",
        _show(facts),
    )


def _images(facts: Facts) -> Found:
    digests: dict[str, set[str]] = defaultdict(set)
    for record in facts.records:
        digests[record.identity["dataset"]].add(str(record.place.get("images_digest") or ""))
    good = [name for name, sums in digests.items() if len(sums) == 1 and "" not in sums]
    listed = ", ".join(f"{name} {'/'.join(sorted(sums)) or 'unknown'}" for name, sums in sorted(digests.items()))
    return _share(good, digests), f"One content for every image set, by its digest: {listed}", _show(facts)


def _truth(facts: Facts) -> Found:
    sums = facts.frame.drop_duplicates(["truth", "target", "population", "kind"])
    full = sums[sums["truth_coverage"] >= 1]
    listed = "; ".join(
        f"{row.truth}/{row.target} {row.truth_checksum}, {row.kind}, "
        f"{_percent(float(str(row.truth_coverage)))} of {row.population}"
        for row in sums.itertuples()
    )
    return ("yes" if len(full) == len(sums) else "partly"), f"Every score names its truth: {listed}", RESCORE.strip("`")


def _training(facts: Facts) -> Found:
    found: dict[str, Record] = {}
    for record in facts.records:
        training = _inside(record.identity["method"], "training")
        if training is not None:
            found.setdefault(canonical(training), record)
    if len(found) < 2:
        return "yes", f"{_many(len(found), 'setting')} of the supernets' training in all records", LIST
    one, other = list(found.values())[:2]
    text = f"{len(found)} settings of the supernets' training: every method trains as its paper says"
    return "partly", text, f"python -m bench diff {one.key[:8]} {other.key[:8]}"


def _random(facts: Facts) -> Found:
    return _in_every_setting(facts, "random", "an architecture drawn at random")


def _sharing(facts: Facts) -> Found:
    return _in_every_setting(facts, "rsps", "RSPS")


def _better(facts: Facts) -> Found:
    lines, known, all_ = [], 0, 0
    for setting, rows in settings(stats.done(facts.frame), by_target=True):
        all_ += 1
        means = {label: stats.mean_of(part["relative_improvement"]).mean for label, part in rows.groupby("label")}
        gains = {str(label): gain for label, gain in means.items() if gain is not None and label != "random"}
        if not gains:
            continue
        known += 1
        above, best = sum(gain > 0 for gain in gains.values()), max(gains, key=gains.__getitem__)
        lines.append(
            f"{said(setting)}: {above} of {_many(len(gains), 'method')} choose better on average than the mean "
            f"architecture, the best by {gains[best]:+.2f} % of its accuracy ({printed(best)})"
        )
    return _counted(known, all_), "; ".join(lines) or "no choice has a known accuracy", MAKE


def _ablations(facts: Facts) -> Found:
    labels: dict[str, set[str]] = defaultdict(set)
    for record in facts.records:
        labels[record.identity["method"]["name"]].add(record.label)
    several = {name: found for name, found in labels.items() if len(found) > 1}
    listed = "; ".join(f"{name}: {', '.join(sorted(found))}" for name, found in sorted(several.items()))
    made = sorted(set(ABLATIONS) & {record.label for record in facts.records})
    text = (
        f"{_of(made, ABLATIONS)} ablations that studies name were run; methods in several settings: {listed or 'none'}"
    )
    return _share(made, ABLATIONS), text, LIST


def _selection(facts: Facts) -> Found:
    rows = stats.done(facts.frame)
    both = rows[rows["test"].notna() & rows["test_best_candidate"].notna()]
    gain = both["test_best_candidate"] - both["test"]
    widest = f", up to {gain.max():.2f} points apart" if len(both) else ""
    return (
        _counted(len(both), len(rows)),
        f"{len(both):,} of {len(rows):,} scores hold the method's own choice and the oracle's side by side{widest}",
        MAKE,
    )


def _protocols(facts: Facts) -> Found:
    sides: dict[str, set[str]] = defaultdict(set)
    for record in facts.records:
        protocol = protocol_of(record.identity["method"])
        if protocol != BOTH:
            sides[base_of(record.label)].add(protocol)
    both = [label for label, found in sides.items() if len(found) > 1]
    text = (
        f"{len(both)} of {len(sides)} methods with two protocols were run in both: {', '.join(sorted(both)) or 'none'}"
    )
    return _share(both, sides), text, LIST


def _seeds(facts: Facts) -> Found:
    counts = stats.done(facts.frame).groupby(["space", "dataset", "scale", "label"])["seed"].nunique()
    if counts.empty:
        return "no", "No run is finished", LIST
    enough = counts[counts >= stats.LEAST_RUNS]
    text = (
        f"{counts.min()} to {counts.max()} seeds for a method in a setting; "
        f"{len(enough)} of {len(counts)} have {stats.LEAST_RUNS} or more"
    )
    return _counted(len(enough), len(counts)), text, LIST


def _intervals(facts: Facts) -> Found:
    verdict, text, _ = _seeds(facts)
    return verdict, f"{caption.INTERVALS} {text}", MAKE


def _robust(facts: Facts) -> Found:
    heads = {head for table in facts.tables for head in (*table.heads, table.title)}
    words = ("interquartile", "iqm", "probability of improvement", "p(better)")
    named = sorted(head for head in heads if any(word in head.lower() for word in words))
    return ("yes" if named else "no"), f"Tables and columns of that kind: {', '.join(named) or 'none'}", MAKE


def _failures(facts: Facts) -> Found:
    diverged = [r for r in facts.records if r.status == "diverged"]
    text = (
        f"{len(diverged)} of {_many(len(facts.records), 'finished run')} diverged, "
        f"{len(facts.failures)} more failed or were interrupted; all are listed and none is averaged in"
    )
    return "yes", text, LIST


def _sample(facts: Facts) -> Found:
    rows = facts.frame[facts.frame["tau"].notna()]
    enough = rows[rows["probe_n"] >= LEAST_PROBE]
    span = f", {rows['probe_n'].min():,.0f} to {rows['probe_n'].max():,.0f} of them" if len(rows) else ""
    text = f"{len(rows):,} scores hold a tau-b and the number of architectures behind it{span}"
    return _counted(len(enough), len(rows)), f"{text}; {len(enough):,} rest on {LEAST_PROBE} or more", MAKE


def _beyond_tau(facts: Facts) -> Found:
    rows = facts.frame[facts.frame["tau"].notna()]
    both = rows[rows["tau_top10"].notna() & rows["precision_top10"].notna()]
    text = (
        f"{len(both):,} of {len(rows):,} rankings also tell tau inside the true top tenth and how much of it is found"
    )
    return _counted(len(both), len(rows)), text, MAKE


def _ceiling(facts: Facts) -> Found:
    known = facts.frame.drop_duplicates(["truth", "target"])
    with_it = known[known["ceiling"].notna()]
    listed = ", ".join(f"{row.truth}/{row.target} {float(str(row.ceiling)):.3f}" for row in with_it.itertuples())
    text = f"Tau-b to expect of the truth with itself made again: {listed or 'unknown'}"
    return _counted(len(with_it), len(known)), text, MAKE


def _trajectory(facts: Facts) -> Found:
    told = [r for r in facts.records if len(r.trace) > 1]
    text = (
        f"{_of(told, facts.records)} records hold the choice as the search went on; rankings are taken at its end only"
    )
    return ("partly" if told else "no"), text, _show(facts)


def _phases(facts: Facts) -> Found:
    split = [r for r in facts.records if r.cost.get("phases")]
    chosen = [r for r in split if "choose" in r.cost["phases"]]
    text = (
        f"{_of(split, facts.records)} records split images, multiply-adds, seconds and memory by phase, "
        f"{len(chosen)} of them with a phase for the choice itself; tuning of settings is not in them"
    )
    return _share(split, facts.records), text, _show(facts)


def _total(facts: Facts) -> Found:
    runs = [*facts.records, *facts.failures]
    wall, device = (sum(float(r.cost.get(name) or 0) for r in runs) / 3600 for name in ("wall_s", "device_s"))
    images = sum(int(r.cost.get(name) or 0) for r in runs for name in ("forward_images", "backward_images"))
    text = (
        f"{len(runs)} runs, diverged and failed ones too: {wall:,.1f} h wall, {device:,.1f} h device, {images:,} images"
    )
    return "yes", text, LIST


def _over_time(facts: Facts) -> Found:
    trained = [r for r in facts.records if r.cost.get("forward_images")]
    told = [r for r in trained if len(r.trace) > 1]
    return _share(told, trained), f"{_of(told, trained)} searches that train tell their proposal at several costs", MAKE


def _data_sets(facts: Facts) -> Found:
    targets, spaces = sorted(set(facts.frame["target"])), sorted(set(facts.frame["space"]))
    verdict: Verdict = "yes" if len(targets) > 1 and len(spaces) > 1 else "partly" if len(targets) > 1 else "no"
    return verdict, f"Scored on {', '.join(targets)}; spaces: {', '.join(spaces)}. Claims hold for these", MAKE


def _searched(facts: Facts) -> Found:
    pairs = sorted(set(zip(facts.frame["dataset"], facts.frame["target"], strict=True)))
    own = [pair for pair in pairs if is_searched(*pair)]
    moved = [f"{dataset} to {target}" for dataset, target in pairs if (dataset, target) not in own]
    text = f"{len(own)} of {_many(len(pairs), 'pair')} of searched and scored data search on what they score; "
    return _share(own, pairs), text + f"transfer, marked as such: {', '.join(moved) or 'none'}", MAKE


def _validation(facts: Facts) -> Found:
    rows = facts.frame[facts.frame["test"].notna()]
    both = rows[rows["valid"].notna()]
    text = f"{len(both):,} of {len(rows):,} test accuracies stand beside a validation accuracy"
    lacking = rows.loc[rows["valid"].isna(), ["truth", "target"]].drop_duplicates()
    without = ", ".join(f"{row.truth}/{row.target}" for row in lacking.itertuples())
    return _counted(len(both), len(rows)), text + (f"; the truth has none for {without}" if without else ""), MAKE


def _published(facts: Facts) -> Found:
    counts = Counter(
        verdict
        for table in facts.tables
        if not table.title.startswith(claims.OURS)
        for row in table.rows
        for cell in row.cells
        if (verdict := verdict_of(cell)) and verdict != "not run"
    )
    numbers = {word: counts.pop(word) for word in ("within", "above", "below", "not comparable") if word in counts}
    parts = [", ".join(f"{count} {word}" for word, count in found.items()) or "none" for found in (numbers, counts)]
    text = f"Verdicts beside published numbers: {parts[0]}; on claims of the papers: {parts[1]}"
    return ("yes" if numbers or counts else "no"), text, MAKE


def _tuning(facts: Facts) -> Found:
    return "no", "Records hold every setting that was used, and nothing of how it was found", _show(facts)


def _licences(facts: Facts) -> Found:
    return "no", "Records name images and truths by title and digest, not their licences", _show(facts)


_ITEMS: Sequence[tuple[str, str, str, Callable[[Facts], Found]]] = (
    ("Code and place", "Lindauer & Hutter; NeurIPS", "the code of search and training, in the version used", _commit),
    ("Code and place", "Lindauer & Hutter; Towers et al.", "versions of the libraries", _versions),
    ("Code and place", "Lindauer & Hutter; NeurIPS", "the hardware, and the same for all that is compared", _hardware),
    ("Code and place", "NeurIPS", "runs that others can repeat", _repeatable),
    ("Comparison", "Lindauer & Hutter", "the same data and split for all methods", _images),
    ("Comparison", "Lindauer & Hutter", "the same benchmark for all methods", _truth),
    ("Comparison", "Lindauer & Hutter", "the same training settings for all methods", _training),
    ("Comparison", "Lindauer & Hutter; Yang et al.", "an architecture drawn at random as a baseline", _random),
    ("Comparison", "Li & Talwalkar", "random search with parameter sharing as a baseline", _sharing),
    ("Comparison", "Yang et al.; Yu et al. (search phase)", "the improvement over an average architecture", _better),
    ("Comparison", "Lindauer & Hutter", "ablations", _ablations),
    ("Comparison", "Lindauer & Hutter", "how the reported architecture was selected", _selection),
    ("Comparison", "ML Reproducibility Challenge", "the papers' protocol beside one of equal budget", _protocols),
    ("Comparison", "ML Reproducibility Challenge", "published claims, each with a verdict", _published),
    ("Uncertainty", "Lindauer & Hutter; ACL", "several runs from named seeds", _seeds),
    ("Uncertainty", "NeurIPS", "error bars, and how they were made", _intervals),
    (
        "Uncertainty",
        "Agarwal et al. (rliable)",
        "robust summaries: interquartile mean, probability of improvement",
        _robust,
    ),
    ("Uncertainty", "NeurIPS", "failed runs are told", _failures),
    ("Ranking", "Ning et al.", "rank correlation with its number of architectures", _sample),
    ("Ranking", "Ning et al.; Yu et al. (super-net)", "criteria closer to the use than one tau", _beyond_tau),
    ("Ranking", "Yu et al. (super-net)", "the noise of the truth itself", _ceiling),
    ("Ranking", "Zhang et al.", "how ranking and choice move during training", _trajectory),
    ("Cost", "Lindauer & Hutter; White et al.", "end-to-end cost, by phase, the choice included", _phases),
    ("Cost", "NeurIPS", "total compute, failed runs included", _total),
    ("Cost", "Lindauer & Hutter", "performance over time", _over_time),
    ("Scope", "NAS-Bench-Suite", "several data sets and spaces", _data_sets),
    ("Scope", "Lopes et al.", "search on the data that is scored; transfer marked", _searched),
    ("Scope", "ACL", "validation beside every test accuracy", _validation),
    ("Scope", "Lindauer & Hutter; ACL", "how settings were tuned", _tuning),
    ("Scope", "NeurIPS", "licences of what is used", _licences),
)


def counts(found: Iterable[Answer]) -> dict[str, int]:
    """How many items are met, partly met and not met."""
    said_ = Counter(answer.verdict for answer in found)
    return {verdict: said_[verdict] for verdict in ("yes", "partly", "no")}


def _in_every_setting(facts: Facts, label: str, words: str) -> Found:
    every = list(settings(facts.frame, by_target=False))
    have = [setting for setting, rows in every if label in set(stats.done(rows)["label"])]
    lacking = [said(setting) for setting, _ in every if setting not in have]
    text = f"{_of(have, every)} settings with {words}"
    return _share(have, every), text + (f"; none in {'; '.join(lacking)}" if lacking else ""), MAKE


def _inside(value: Any, name: str) -> Any:
    """The first value of that name anywhere inside JSON objects, or None."""
    if not isinstance(value, Mapping):
        return None
    if name in value:
        return value[name]
    return next((found for item in value.values() if (found := _inside(item, name)) is not None), None)


def _share(some: Iterable[Any], all_: Iterable[Any]) -> Verdict:
    return _counted(len(list(some)), len(list(all_)))


def _counted(some: int, all_: int) -> Verdict:
    return "no" if not some else "yes" if some == all_ else "partly"


def _of(some: Sequence[Any], all_: Sequence[Any]) -> str:
    return f"{len(some):,} of {len(all_):,}"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _show(facts: Facts) -> str:
    return f"python -m bench show {facts.records[0].key[:8]}" if facts.records else LIST
