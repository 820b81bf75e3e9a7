"""The command line: `python -m bench run | score | list | show | diff | import | fetch | naslib`, or `supernet-bench`.

Only the parser is loaded before a command is known, so that `--help` answers at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import tyro
from tyro.conf import Positional, UseAppendAction, arg

from bench.errors import BadSpec, BenchError, Busy, Died, NoSuchEntry, UnknownName
from bench.official_commands import Fetch, Import, Naslib

RESULTS = Path("results")


@dataclass(frozen=True, kw_only=True)
class Common:
    """Options of every command."""

    results: Path = RESULTS  # folder of records, scores, tables and figures
    json: bool = False  # machine-readable output on standard output
    debug: bool = False  # tracebacks instead of one-line errors


@dataclass(frozen=True)
class Run(Common):
    """Search: make the records of a study, or of the methods named. A record that exists is not made again."""

    study: Positional[str] = "nb201"  # `python -m bench list studies` names them
    methods: tuple[str, ...] = ()  # instead of the study's: `python -m bench list methods` names them
    dataset: str | None = None  # instead of the study's: `python -m bench list datasets` names them
    scale: str | None = None  # instead of the study's: smoke, quick, mini, small or paper
    seeds: tuple[int, ...] = ()  # instead of the study's
    space: str | None = None  # instead of the study's
    set: Annotated[
        UseAppendAction[tuple[str, ...]], arg(metavar="FIELD=VALUE")
    ] = ()  # a hyper-parameter, e.g. training.epochs=10
    pool: Literal["serial", "processes"] = "serial"  # one run after the other, or one per core
    workers: int | None = None  # processes at a time; by default all cores, or 1 on a GPU
    device: str = "auto"  # auto, cpu or cuda
    threads: int = 1  # torch threads of one run; 1 is repeatable to the bit
    data: Path | None = None  # folder of image files
    steps: Literal["ordinary", "captured", "masked"] = "ordinary"  # of training; the others are meant for GPUs

    def __call__(self) -> int:
        from rich.console import Console

        from bench.pool import Processes, Serial
        from bench.progress import Report, duration
        from bench.record import Results
        from bench.run import Settings, device_named, make, provenance
        from bench.study import changed, study_named

        study = changed(
            study_named(self.study),
            methods=self.methods,
            dataset=self.dataset,
            scale=self.scale,
            seeds=self.seeds,
            space=self.space,
        )
        specs = study.specs(dict(_pair(text) for text in self.set))
        _check_images(study.dataset, self.data)
        device = device_named(self.device)
        provenance()  # now, for this process, and not after hours in which the sources may have changed
        if self.threads < 1:
            raise BadSpec(f"--threads {self.threads}: a run has 1 thread or more")
        Results(self.results).check_writable()
        settings = Settings(self.results, self.device, self.threads, self.data, self.steps)
        jobs = [partial(make, spec, settings, debug=self.debug) for spec in specs]
        alone = 1 if device.type == "cuda" else None  # runs share a GPU only where that is asked for
        pool = Serial() if self.pool == "serial" else Processes(alone if self.workers is None else self.workers)
        workers = 1 if self.pool == "serial" else pool.workers  # type: ignore[union-attr]
        names = [f"{spec.label} seed {spec.seed}" for spec in specs]
        console = Console(stderr=self.json)
        console.print(
            f"{len(specs)} runs: {study.space} on {study.dataset}, scale {study.scale}, {workers} at a time, "
            f"results in {self.results}",
            highlight=False,
            soft_wrap=True,
        )
        records = []
        with Report(names, [spec.label for spec in specs], workers, console) as report:
            for index, outcome in pool.map(jobs, report.tick):
                record, made = (outcome, False) if isinstance(outcome, Died) else outcome
                if isinstance(record, (Busy, Died)):
                    report.finish(index, str(record))
                    continue
                seconds = record.cost["wall_s"]
                said = f"{record.status} in {duration(seconds)}" if made else f"{record.status} already"
                report.finish(index, said + (f": {_last_line(record.message)}" if record.message else ""))
                records.append(record)
        if self.json:
            print(json.dumps([{"key": r.key, "label": r.label, "status": r.status} for r in records]))
        return 0 if len(records) == len(specs) and all(r.status == "done" for r in records) else 1


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadSpec(f"--set takes FIELD=VALUE, not {text!r}")
    return name, value


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def _check_images(dataset: str, data: Path | None) -> None:
    """Raise now, not in every run, where the images are missing."""
    from bench import images
    from bench.errors import BadData

    why = images.available(dataset, data)
    if why:
        raise BadData(why)


@dataclass(frozen=True)
class Score(Common):
    """Join every record with ground truth: accuracy, regret, rank, rank correlation. Repeats no search."""

    truth: str = "embedded"  # the embedded table, or the path of a converted one
    dataset: str | None = None  # only runs that searched this image set; all by default
    train_missing: bool = True  # train a chosen architecture that an incomplete embedded table lacks
    train_finalists: bool = False  # and all finalists, and cells trained together: selection, protocol and FaDE tables

    def __call__(self) -> int:
        from rich.console import Console

        from bench import images
        from bench.record import Results
        from bench.score import named_by, score
        from bench.truth import EMBEDDED, open_truth

        results = Results(self.results)
        results.check_writable()
        console = Console(stderr=self.json)
        truth = open_truth(self.truth)
        if not truth.targets():
            raise NoSuchEntry(
                f"table {truth.name} has test accuracies after full training of no data set that searches are scored on"
            )
        if self.dataset is not None and self.dataset not in images.NAMES:
            raise UnknownName("image set", self.dataset, images.NAMES)
        records = [r for r in results.records() if _fits(r, truth, self.dataset)]
        if not records:
            which = f"run on {self.dataset}" if self.dataset else "run"
            raise BenchError(
                f"{self.results} holds no {which} that {truth.name} can score; make some with `python -m bench run`"
            )
        if self.truth == EMBEDDED and (self.train_missing or self.train_finalists):
            wanted = [genotype for record in records for genotype in named_by(record, self.train_finalists)]
            truth = _completed(truth, wanted, self.results, console)
        rows = [row for record in records for row in score(record, truth, results)]
        console.print(
            f"{len(records)} runs scored by {truth.name} ({truth.checksum}): {len(rows)} rows in {self.results}/scores"
        )
        if self.json:
            print(json.dumps([dataclasses.asdict(row) for row in rows]))
        return 0


def _completed(truth: Any, genotypes: Sequence[Any], results: Path, console: Any) -> Any:
    """The embedded table with these architectures in it: what it lacks is trained alone, as the table was."""
    from bench.pool import Processes
    from bench.progress import Report
    from bench.truth import fill

    folder = fill.folder_of(results)
    wanted = fill.missing(fill.filled(truth.table, folder), genotypes)
    if wanted:
        console.print(f"the embedded table is not complete: {len(wanted)} architectures are trained alone now")
        pool = Processes()
        names = [truth.space.show(truth.space.at(position)) for position in wanted]
        with Report(names, ["training"] * len(wanted), pool.workers, console) as report:
            for index, outcome in pool.map(fill.jobs(wanted, folder), report.tick):
                if isinstance(outcome, Died):
                    raise outcome
                report.finish(index, "trained")
    return fill.OnDemand(truth.table, folder)


def _fits(record: Any, truth: Any, dataset: str | None) -> bool:
    identity = record.identity
    return bool(identity["space"] == truth.space.name and dataset in (None, identity["dataset"]))


@dataclass(frozen=True)
class List(Common):
    """List runs, or what can be named: methods, studies, datasets, scales, spaces."""

    what: Positional[Literal["runs", "methods", "studies", "datasets", "scales", "spaces"]] = "runs"

    def __call__(self) -> int:
        from bench import listing

        listing.show(listing.rows(self.what, self.results), self.json)
        return 0


@dataclass(frozen=True)
class Show(Common):
    """Show one run: its configuration, choice, cost by phase and scores."""

    key: Positional[str] = ""  # the key of a run, or its beginning

    def __call__(self) -> int:
        from bench import listing

        listing.show_run(self.key, self.results, self.json)
        return 0


@dataclass(frozen=True)
class Diff(Common):
    """Compare two runs: settings, choice, candidates, cost by phase, place and scores, where they differ."""

    a: Positional[str]  # the key of a run, or its beginning
    b: Positional[str]  # the key of the other, or its beginning
    all: bool = False  # what is the same, too

    def __call__(self) -> int:
        from bench import compare

        compare.show_diff(self.a, self.b, self.results, self.all, self.json)
        return 0


Command = (
    Annotated[Run, tyro.conf.subcommand("run")]
    | Annotated[Score, tyro.conf.subcommand("score")]
    | Annotated[List, tyro.conf.subcommand("list")]
    | Annotated[Show, tyro.conf.subcommand("show")]
    | Annotated[Diff, tyro.conf.subcommand("diff")]
    | Annotated[Import, tyro.conf.subcommand("import")]
    | Annotated[Fetch, tyro.conf.subcommand("fetch")]
    | Annotated[Naslib, tyro.conf.subcommand("naslib")]
)


def _parsed(words: list[str]) -> Callable[[], int]:
    """The command that the words ask for. Raises BadSpec, UnknownName for words that make no sense."""
    said = io.StringIO()
    _require_no_names(words)
    try:
        with contextlib.redirect_stderr(said):
            command, unknown = tyro.cli(
                Command, prog="supernet-bench", description=__doc__, args=words, return_unknown_args=True
            )
    except SystemExit as stop:
        if stop.code == 0:  # --help
            raise
        lines = [line.strip("╭╮╰╯│─- ") for line in said.getvalue().splitlines()]
        told = [line for line in lines if line and not line.startswith("For full helptext")]
        raise BadSpec(f"{' '.join(told[1:])} (see --help)") from None  # the first line is the title of a box
    if unknown:
        if not unknown[0].startswith("-"):
            raise BadSpec(f"{unknown[0]!r} is one word too many (see --help)")
        raise UnknownName("option", unknown[0], _options(type(command)))
    return command


def _options(command: type) -> list[str]:
    """The options of a command, both forms of those that are on or off."""
    named = [field for field in dataclasses.fields(command) if not _is_positional(field)]
    switches = [f"--no-{field.name}" for field in named if field.type == "bool"]
    return [name.replace("_", "-") for name in (*(f"--{field.name}" for field in named), *switches)]


def _is_positional(field: dataclasses.Field[Any]) -> bool:
    return str(field.type).startswith("Positional[")


def _require_no_names(words: Sequence[str]) -> None:
    """Raises BadSpec where a word that stands without its name is given one, as in `run --study nb201`."""
    kinds = {one.__metadata__[0].name: one.__origin__ for one in get_args(Command)}
    if not words or words[0] not in kinds:
        return
    for field in dataclasses.fields(kinds[words[0]]):
        if _is_positional(field) and any(word.partition("=")[0] == f"--{field.name}" for word in words[1:]):
            raise BadSpec(f"--{field.name} is no option: write `{words[0]} {field.name.upper()}`, without its name")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. The exit code is 0; 1 where a run failed or diverged; 2 for a one-line error; 130 if stopped."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _parsed(words)()
    except BenchError as error:
        if "--debug" in words:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; what was finished is kept, run the same command again to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or closing it would fail once more
        return 0
