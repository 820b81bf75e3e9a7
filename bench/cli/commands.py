"""The command line: `python -m bench COMMAND`, or `supernet-bench COMMAND`; `COMMANDS` has them all.

Only the parser is loaded before a command is known, so that `--help` answers at once.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench.cli.clusters import ClusterOptions
from bench.cli.describe import Describe
from bench.cli.estimate_command import Estimate
from bench.cli.keeping import Aside, Seal
from bench.cli.official_commands import Fetch, Import, Naslib
from bench.cli.outcome import Common, ended, said
from bench.cli.retraining import Retrain
from bench.cli.sharing import Collect, Plan
from bench.cli.verify import Verify
from bench.errors import BadRecord, BadSpec, BenchError, Died, NoSuchEntry, UnknownName, counted
from bench.store import hints
from bench.store.names import plain_terminal, printable
from bench.store.own import content, own
from bench.store.typed import parsed, program

if TYPE_CHECKING:
    from bench.runs.study import Study
    from bench.store.record import Results
    from bench.store.spec import RunSpec

CLUSTERS = ("ray", "slurm")

FEW = 30
"""Architectures with an estimate and a truth, below which `score` says that tau is of few."""

LOG = "progress.log"
"""Of a results folder: what `run` told, with times."""


@dataclass(frozen=True, kw_only=True)
class RunCommand(ClusterOptions):
    """Search: make the records of a study, or of the methods named. A record that exists is not made again."""

    pool: Literal["serial", "processes", "ray", "slurm"] = "serial"
    """One run after the other, one per core, or on the machines of a cluster (docs/clusters.md)."""
    workers: int | None = None
    """Runs at a time; by default all cores, or 1 on a GPU; with Slurm 100."""
    steps: Literal["ordinary", "captured", "masked"] = "ordinary"
    """Steps of training; captured and masked ones are meant for GPUs."""

    keep_supernet: bool = False
    """Keep the trained supernets of every run in a file beside its record, for `python -m bench estimate`."""
    pin: bool = False
    """Write down which runs the study has, as plan.json in the results folder, and make none of them yet; from then on
    the study runs exactly these there."""
    time_limit: float | None = None
    """Seconds that one run may take; it is then kept with status `timeout`, to be tried again with more."""

    share: bool | None = None
    """Do training that runs have in common once, as some studies ask: a parent, say, that several methods begin with.
    Each is charged as if it had trained alone."""

    def __call__(self) -> int:
        study, specs = self.asked()  # first: what it refuses needs no torch
        from bench.runs import agreed, limits
        from bench.runs.run import provenance
        from bench.store.record import Results

        if self.pin:
            print(f"{agreed.agree(self.results, study.name, specs)}: {counted(len(specs), 'run')} of {study.name}")
            return 0
        agreed.check(self.results, study.name, specs, whole=not (self.methods or self.seeds))
        specs = self.here(study, specs)
        provenance()  # now, for this process, and not after hours in which the sources may have changed
        limits.check(self.time_limit)
        results = Results(self.results)
        results.check_writable()
        with self._pool(study.dataset) as pool:
            return self._made(study, specs, results, pool)

    @contextmanager
    def _pool(self, dataset: str) -> Iterator[Any]:
        from bench.runs.pool import Processes, Serial
        from bench.runs.run import device_named

        if self.pool in CLUSTERS:
            with self.cluster(self.pool, dataset, self.workers) as pool:
                yield pool
            return
        device = device_named(self.device)
        alone = 1 if device.type == "cuda" else None  # runs share a GPU only where that is asked for
        yield Serial() if self.pool == "serial" else Processes(alone if self.workers is None else self.workers)

    def _made(self, study: Study, specs: Sequence[RunSpec], results: Results, pool: Any) -> int:
        """Make the runs; the exit code."""
        from rich.console import Console

        from bench.runs.batch import settled
        from bench.runs.progress import Report
        from bench.runs.run import Settings, finished, make, provenance
        from bench.store.parents import apart

        share = study.shares if self.share is None else self.share
        workers = 1 if self.pool == "serial" else pool.workers
        how = self.threads, self.where, self.steps, share, self.time_limit
        by = provenance() if self.pool == "ray" else None
        settings = Settings(self.results, self.device, *how, workers, self.keep_supernet, by)
        names = [f"{spec.label} seed {spec.seed}" for spec in specs]
        console = Console(stderr=self.json)
        scale = specs[0].scale.name if specs else study.scale
        console.print(
            f"{counted(len(specs), 'run')}{self.part}: {study.space} on {study.dataset}, scale {scale}, "
            f"{workers} at a time, results in {self.results}",
            highlight=False,
            soft_wrap=True,
        )
        if borrowed := study.borrowed():
            console.print(borrowed, highlight=False, soft_wrap=True)
        for line in apart({spec.label: spec.identity["method"] for spec in specs}) if share else ():
            console.print(line, highlight=False, soft_wrap=True)
        known: dict[int, Any] = {}
        for index, spec in enumerate(specs):
            try:
                if (old := finished(spec, results)) is not None:
                    known[index] = old
            except BadRecord as error:  # a record that cannot be trusted costs its own run
                known[index] = error
        left = [index for index in range(len(specs)) if index not in known]  # no process starts for the others
        jobs: list[Any] = [partial(make, specs[index], settings, debug=self.debug) for index in left]
        if self.pool in CLUSTERS:
            todo = [specs[index] for index in left]
            jobs = list(self.errands(self.pool, todo, settings, results, self.debug)) if todo else []
        records = [one for one in known.values() if not isinstance(one, BenchError)]
        with Report(names, [spec.label for spec in specs], workers, console, self.results / LOG) as report:
            for index, there in known.items():
                report.finish(index, _told(there, False, self.results))

            def tick(at: int, share: float) -> None:
                report.tick(left[at], share)

            keys = [specs[index].key for index in left]
            for at, record, made in settled(jobs, keys, pool, results, tick, partial(said, root=self.results)):
                report.finish(left[at], _told(record, made, self.results))
                if not isinstance(record, BenchError):
                    records.append(record)
        if self.keep_supernet:
            console.print(_supernets_of(records, results), highlight=False, soft_wrap=True)
        if self.json:
            print(json.dumps([{"key": r.key, "label": r.label, "status": r.status} for r in records]))
        return 0 if len(records) == len(specs) and all(r.status == "done" for r in records) else 1


def _supernets_of(records: Sequence[Any], results: Any) -> str:
    """How many of the runs have kept supernets, and what these take; which have none."""
    from bench.search.kept import told

    kept = [record.place["supernets"] for record in records if record.place.get("supernets")]
    size, count = sum(one["bytes"] for one in kept), sum(one["supernets"] for one in kept)
    said = f"{counted(len(kept), 'run')} with kept supernets ({told(size, count)}) in {results.root / 'supernets'}"
    without = len(records) - len(kept)
    return said + (f"; {without} without: made before this was asked for, or without a supernet" if without else "")


def _told(record: Any, made: bool, folder: Path) -> str:
    """One line about the outcome of a run, made now or found, or why there is none."""
    from bench.runs.progress import duration

    if isinstance(record, Died):
        return str(record)
    if isinstance(record, BenchError):
        return printable(hints.addressed(f"not made: {record}", folder))
    said = f"{record.status} in {duration(record.cost['wall_s'])}" if made else f"{record.status} already"
    if record.architecture and made:
        said += f", chose {record.architecture}{_estimated(record)}"
    return printable(said + (f": {_last_line(record.message)}" if record.message else ""))


def _estimated(record: Any) -> str:
    """What the search itself thinks of its choice; the truth comes later, by `score`."""
    known = {candidate.genotype: candidate.estimate for candidate in record.candidates}
    estimate = known.get(record.genotype)
    return "" if estimate is None else f", by its own estimate {100 * estimate:.1f} %"


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


@dataclass(frozen=True, kw_only=True)
class ScoreCommand(Common):
    """Join every record with ground truth: accuracy, regret, rank, rank correlation. Repeats no search, nor a score
    that is there already."""

    truth: str = "embedded"
    """The embedded table, the path of a converted one, or a CSV list of cells of DARTS to fit a surrogate on."""
    dataset: str | None = None
    """Only runs that searched this image set; all by default."""
    train_missing: bool = True
    """Train a chosen architecture that an incomplete embedded table lacks."""
    train_finalists: bool = False
    """Train all finalists too, and cells trained together: selection, protocol and FaDE tables."""
    again: bool = False
    """Score runs too that this table has scored already."""

    def __call__(self) -> int:
        from rich.console import Console

        from bench import spaces
        from bench.store.record import Results
        from bench.truth import EMBEDDED

        console, results = Console(stderr=self.json), Results(self.results)
        named = [] if self.truth == EMBEDDED else [_truth(self.truth)]
        results.check_there()
        records = list(results.records())
        dataset = None if self.dataset is None else _searched(self.dataset, records)
        truths = named or _embedded({spaces.judged_by(record.identity["space"]) for record in records})
        results.check_writable()
        why = [_unfit(record, truths, dataset) for record in records]
        fit = [record for record, reason in zip(records, why, strict=True) if not reason]
        out = [
            f"{counted(n, 'run')} left out: {'it' if n == 1 else 'they'} searched {reason}"
            for reason, n in Counter(filter(None, why)).items()
        ]
        if not fit:
            which = f"run on {dataset}" if dataset else "run"
            names = " or ".join(truth.name for truth in truths)
            ended(results, 2)
            raise BenchError(
                "; ".join([f"{self.results} holds no {which} that {names} can score", *out])
                + f"; make some with {results.command('run')}"
            )
        _require_one_set(fit, named)
        out += [truth.about for truth in named if truth.kind == "surrogate"]
        for line in out:
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        rows = [row for truth in truths for row in self._by(truth, fit, results, console)]
        if self.json:
            print(json.dumps([dataclasses.asdict(row) for row in rows]))
        return ended(results, 0)

    def _by(self, truth: Any, fit: Sequence[Any], results: Any, console: Any) -> list[Any]:
        """The rows of those runs that fit which one table can score, and a line about them."""
        from bench import spaces
        from bench.scoring.score import named_by, score, scored
        from bench.truth import EMBEDDED

        of = [record for record in fit if spaces.judged_by(record.identity["space"]) == truth.space.name]
        if self.truth == EMBEDDED and (self.train_missing or self.train_finalists):
            asked = self.train_finalists, self.train_missing
            wanted = [genotype for record in of for genotype in named_by(record, *asked)]
            truth = _completed(truth, wanted, self.results, console)
            results.damaged.update(truth.damaged)
        known, rows = 0, []
        for record in of:
            try:
                there = None if self.again else scored(record, truth, results)
                rows += score(record, truth, results) if there is None else there
                known += there is not None
            except BadRecord as error:  # what lies beside a record costs the score of its own run
                results.damaged[results.run_path(record.key)] = str(error)
        more = f"; {known:,} had been scored already, --again scores them anew" if known else ""
        count = counted(len({row.key for row in rows}), "run")
        about = f"{count} scored by {truth.name} ({truth.checksum}): {counted(len(rows), 'row')}"
        console.print(f"{about} in {self.results}/scores{more}", highlight=False, markup=False, soft_wrap=True)
        for line in _gaps(rows, results) if self.truth != EMBEDDED else ():
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        return rows


def _gaps(rows: Sequence[Any], results: Results) -> Iterator[str]:
    """A line for each thing that a table of few architectures cannot tell of these runs."""
    few = [row.probe_n for row in rows if row.estimates_measured is not None and row.probe_n < FEW]
    if few:
        told = f"{min(few)}" if min(few) == max(few) else f"{min(few)} to {max(few)}"
        yield (
            f"tau is of few architectures: of those that {counted(len(few), 'row')} estimated, the table knows {told}; "
            f"estimate more of them: {results.command('run')} with --scale.probe N"
        )
    unknown = [row for row in rows if row.architecture is not None and row.test is None]
    if unknown:
        yield f"the table lacks the choice of {len(unknown):,} of {counted(len(rows), 'row')}: it has no accuracy there"


def _truth(path: str) -> Any:
    """The table in a file. Raises NoSuchEntry, BadTable."""
    from bench.truth import open_truth

    truth = open_truth(path)
    if not truth.targets():
        raise NoSuchEntry(
            f"table {truth.name} has test accuracies after full training of no data set that searches are scored on"
        )
    return truth


def _embedded(searched: set[str]) -> list[Any]:
    """The tables of the spaces that were searched, as far as they have one."""
    from bench import spaces
    from bench.truth import EMBEDDED, FIRST_SPACE, TABLES, open_truth

    there = sorted(searched & set(TABLES)) or [FIRST_SPACE]
    return [open_truth(EMBEDDED, spaces.get(space)) for space in there]


def _completed(truth: Any, genotypes: Sequence[Any], results: Path, console: Any) -> Any:
    """The embedded table with these architectures in it: what it lacks is trained alone, as the table was."""
    from bench.runs.pool import Processes
    from bench.runs.progress import Report
    from bench.truth import fill
    from bench.truth.passes import made

    plan = made(truth.space.name).plan
    folder = fill.folder_of(results, plan)
    wanted = fill.OnDemand(truth.table, plan, folder).missing(genotypes)
    if wanted:
        count = counted(len(wanted), "architecture")
        console.print(f"the embedded table lacks {count}, to be trained alone now", soft_wrap=True)
        pool = Processes()
        names = list(map(truth.space.show, wanted))
        with Report(names, ["training"] * len(wanted), pool.workers, console) as report:
            for index, outcome in pool.map(fill.jobs(plan, wanted, folder), report.tick):
                if isinstance(outcome, Died):
                    raise outcome
                report.finish(index, "trained")
    return fill.OnDemand(truth.table, plan, folder)


def _unfit(record: Any, truths: Sequence[Any], dataset: str | None) -> str:
    """What a run searched and why it is not scored; empty where it is."""
    from bench import spaces

    space, images = record.identity["space"], record.identity["dataset"]
    held = [truth.space.name for truth in truths]
    if spaces.judged_by(space) not in held:
        return f"{space}, {'this table holds' if len(held) == 1 else 'these tables hold'} {', '.join(held)}"
    wanted = dataset is None or content(dataset) == content(images)
    return "" if wanted else f"{images}, --dataset asks for {dataset}"


def _searched(dataset: str, records: Sequence[Any]) -> str:
    """The name of the set that is asked for. Raises UnknownName where neither the program nor a record knows it,
    BadData."""
    from bench import images
    from bench.runs.asked import asked

    name = asked(dataset, None).name
    known = {record.identity["dataset"] for record in records} | set(images.NAMES)
    if name not in known and own(name) is None:
        raise UnknownName("image set", name, (*known, *images.OWN))
    return name


def _require_one_set(fit: Sequence[Any], truths: Sequence[Any]) -> None:
    """Raises BadSpec where a table is of a set by its word alone, and two sets of that word were searched."""
    searched = sorted({record.identity["dataset"] for record in fit})
    for truth in truths:
        for target in truth.targets():
            sets = [name for name in searched if (parts := own(name)) is not None and parts.word == target]
            if len(set(map(content, sets))) > 1:
                raise BadSpec(
                    f"table {truth.name} is of {target!r}, and {len(sets)} sets are called so ({', '.join(sets)}); "
                    "say with --dataset which one it is of"
                )


@dataclass(frozen=True, kw_only=True)
class List(Common):
    """List runs, or what can be named: methods, studies, datasets, scales, spaces.

    Of a run, the column `code` says whether it was made by all the sources of `bench` and `methods` as they are now.
    `older` speaks of the sources as a whole: what was changed since need not be what the run is made of.
    """

    what: Literal["runs", "methods", "studies", "datasets", "scales", "spaces"] = field(default="runs", kw_only=False)
    """Runs, or what can be named."""
    all: bool = False
    """All settings of methods too, as --set takes them; --json has them always."""

    def __call__(self) -> int:
        from bench.cli import listing

        return listing.show_list(self.what, self.results, self.all, self.json)


@dataclass(frozen=True, kw_only=True)
class Show(Common):
    """Show one run: its configuration, choice, cost by phase and scores."""

    key: str = field(default="", kw_only=False)
    """The key of a run, or its beginning."""

    def __call__(self) -> int:
        from bench.cli import listing

        return listing.show_run(self.key, self.results, self.json)


@dataclass(frozen=True, kw_only=True)
class Diff(Common):
    """Compare two runs: settings, choice, candidates, cost by phase, place and scores, where they differ."""

    a: str = field(default="", kw_only=False)
    """The key of a run, or its beginning."""
    b: str = field(default="", kw_only=False)
    """The key of the other, or its beginning."""
    all: bool = False
    """What is the same, too."""

    def __call__(self) -> int:
        from bench.cli import compare

        if not self.b:
            raise BadSpec("diff takes two keys; `python -m bench list` shows them")
        return compare.show_diff(self.a, self.b, self.results, self.all, self.json)


COMMANDS: dict[str, type[Callable[[], int]]] = {
    "run": RunCommand,
    "estimate": Estimate,
    "score": ScoreCommand,
    "retrain": Retrain,
    "list": List,
    "show": Show,
    "describe": Describe,
    "verify": Verify,
    "diff": Diff,
    "import": Import,
    "fetch": Fetch,
    "naslib": Naslib,
    "seal": Seal,
    "aside": Aside,
    "plan": Plan,
    "collect": Collect,
}


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("supernet-bench")
    except metadata.PackageNotFoundError:
        raise BenchError("only an installed package has a version; install this one: pip install -e .") from None


def _parsed(words: Sequence[str]) -> Callable[[], int] | None:
    """The command that the words ask for; None where help was asked for and given. Raises BadSpec, UnknownName."""
    if not words:
        raise BadSpec(f"name a command: {', '.join(COMMANDS)} (see --help)")
    app = program("supernet-bench", help=__doc__, version=_version)
    for place, (name, command) in enumerate(COMMANDS.items()):
        app.command(command, name=name, sort_key=place)
    asked: Callable[[], int] | None = parsed(app, words)
    return asked


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. The exit code is 0; 1 where a run failed or diverged; 2 for a one-line error; 130 if stopped."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = None
    plain_terminal()
    try:
        command = _parsed(words)
        return command() if command else 0
    except BenchError as error:
        if "--debug" in words:
            traceback.print_exc()
        said(f"error: {error}", getattr(command, "results", hints.DEFAULT))
        return 2
    except KeyboardInterrupt:
        print("stopped; what was finished is kept, run the same command again to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or closing it would fail once more
        return 0
