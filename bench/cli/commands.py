"""The command line: `python -m bench run | score | list | show | diff | import | fetch | naslib`, or `supernet-bench`.

Only the parser is loaded before a command is known, so that `--help` answers at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import json
import os
import re
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import tyro
from tyro.conf import Positional, UseAppendAction, arg

from bench.cli.official_commands import Fetch, Import, Naslib
from bench.errors import BadSpec, BenchError, Busy, Died, NoSuchEntry, UnknownName, counted

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
    scale: str | None = None  # instead of the study's: smoke, quick, mini, small, wide or paper
    seeds: tuple[int, ...] = ()  # instead of the study's
    space: str | None = None  # instead of the study's
    set: Annotated[
        UseAppendAction[tuple[str, ...]],
        arg(
            metavar="FIELD=VALUE",
            help="a setting of all the methods, once for each: --set order=2 --set training.epochs=10. The fields of a "
            "part stand behind a dot, members of a list are parted by commas; `python -m bench list methods --all` "
            "shows what there is to set",
        ),
    ] = ()
    pool: Literal["serial", "processes"] = "serial"  # one run after the other, or one per core
    workers: int | None = None  # processes at a time; by default all cores, or 1 on a GPU
    device: str = "auto"  # auto, cpu or cuda
    threads: int = 1  # torch threads of one run; 1 is repeatable to the bit
    data: Path | None = None  # folder of image files
    steps: Literal["ordinary", "captured", "masked"] = "ordinary"  # of training; the others are meant for GPUs

    def __call__(self) -> int:
        from rich.console import Console

        from bench.runs.pool import Processes, Serial
        from bench.runs.progress import Report
        from bench.runs.run import Settings, device_named, finished, make, provenance
        from bench.runs.study import changed, study_named
        from bench.store.record import Results

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
        results = Results(self.results)
        results.check_writable()
        alone = 1 if device.type == "cuda" else None  # runs share a GPU only where that is asked for
        pool = Serial() if self.pool == "serial" else Processes(alone if self.workers is None else self.workers)
        workers = 1 if self.pool == "serial" else pool.workers  # type: ignore[union-attr]
        settings = Settings(self.results, self.device, self.threads, self.data, self.steps, workers)
        names = [f"{spec.label} seed {spec.seed}" for spec in specs]
        console = Console(stderr=self.json)
        console.print(
            f"{counted(len(specs), 'run')}: {study.space} on {study.dataset}, scale {study.scale}, "
            f"{workers} at a time, results in {self.results}",
            highlight=False,
            soft_wrap=True,
        )
        if borrowed := study.borrowed():
            console.print(borrowed, highlight=False, soft_wrap=True)
        known = {index: old for index, spec in enumerate(specs) if (old := finished(spec, results)) is not None}
        left = [index for index in range(len(specs)) if index not in known]  # no process starts for the others
        jobs = [partial(make, specs[index], settings, debug=self.debug) for index in left]
        records = list(known.values())
        with Report(names, [spec.label for spec in specs], workers, console) as report:
            for index, there in known.items():
                report.finish(index, _told(there, made=False))
            for at, outcome in pool.map(jobs, lambda at, share: report.tick(left[at], share)):
                record, made = (outcome, False) if isinstance(outcome, Died) else outcome
                report.finish(left[at], _told(record, made))
                if not isinstance(record, (Busy, Died)):
                    records.append(record)
        if self.json:
            print(json.dumps([{"key": r.key, "label": r.label, "status": r.status} for r in records]))
        return 0 if len(records) == len(specs) and all(r.status == "done" for r in records) else 1


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadSpec(f"--set takes FIELD=VALUE, not {text!r}")
    return name, value


def _told(record: Any, made: bool) -> str:
    """One line about the outcome of a run, made now or found."""
    from bench.runs.progress import duration

    if isinstance(record, (Busy, Died)):
        return str(record)
    said = f"{record.status} in {duration(record.cost['wall_s'])}" if made else f"{record.status} already"
    return said + (f": {_last_line(record.message)}" if record.message else "")


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
        from bench.scoring.score import named_by, score
        from bench.store.record import Results
        from bench.truth import EMBEDDED, open_truth

        console, results = Console(stderr=self.json), Results(self.results)
        truth = open_truth(self.truth)
        results.check_there()
        results.check_writable()
        if not truth.targets():
            raise NoSuchEntry(
                f"table {truth.name} has test accuracies after full training of no data set that searches are scored on"
            )
        if self.dataset is not None and self.dataset not in images.NAMES:
            raise UnknownName("image set", self.dataset, images.NAMES)
        every = [(record, _unfit(record, truth, self.dataset)) for record in results.records()]
        records = [record for record, why in every if not why]
        out = [
            f"{counted(n, 'run')} left out: {'it' if n == 1 else 'they'} searched {why}"
            for why, n in Counter(why for _, why in every if why).items()
        ]
        if not records:
            which = f"run on {self.dataset}" if self.dataset else "run"
            raise BenchError(
                "; ".join([f"{self.results} holds no {which} that {truth.name} can score", *out])
                + f"; make some with {results.command('run')}"
            )
        if self.truth == EMBEDDED and (self.train_missing or self.train_finalists):
            wanted = [genotype for record in records for genotype in named_by(record, self.train_finalists)]
            truth = _completed(truth, wanted, self.results, console)
        rows = [row for record in records for row in score(record, truth, results)]
        done = f"{counted(len(records), 'run')} scored by {truth.name} ({truth.checksum})"
        for line in (*out, f"{done}: {counted(len(rows), 'row')} in {self.results}/scores"):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        if self.json:
            print(json.dumps([dataclasses.asdict(row) for row in rows]))
        return 0


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


def _unfit(record: Any, truth: Any, dataset: str | None) -> str:
    """What a run searched and why it is not scored; empty where it is."""
    space, images = record.identity["space"], record.identity["dataset"]
    if space != truth.space.name:
        return f"{space}, this table holds {truth.space.name}"
    return "" if dataset in (None, images) else f"{images}, --dataset asks for {dataset}"


@dataclass(frozen=True)
class List(Common):
    """List runs, or what can be named: methods, studies, datasets, scales, spaces.

    Of a run, the column `code` says whether it was made by all the sources of `bench` and `methods` as they are now.
    `older` speaks of the sources as a whole: what was changed since need not be what the run is made of.
    """

    what: Positional[Literal["runs", "methods", "studies", "datasets", "scales", "spaces"]] = "runs"
    all: bool = False  # of methods, all settings too, as --set takes them; --json has them always

    def __call__(self) -> int:
        from bench.cli import listing

        listing.show_list(self.what, self.results, self.all, self.json)
        return 0


@dataclass(frozen=True)
class Show(Common):
    """Show one run: its configuration, choice, cost by phase and scores."""

    key: Positional[str] = ""  # the key of a run, or its beginning

    def __call__(self) -> int:
        from bench.cli import listing

        listing.show_run(self.key, self.results, self.json)
        return 0


@dataclass(frozen=True)
class Diff(Common):
    """Compare two runs: settings, choice, candidates, cost by phase, place and scores, where they differ."""

    a: Positional[str] = ""  # the key of a run, or its beginning
    b: Positional[str] = ""  # the key of the other, or its beginning
    all: bool = False  # what is the same, too

    def __call__(self) -> int:
        from bench.cli import compare

        if not self.b:
            raise BadSpec("diff takes two keys; `python -m bench list` shows them")
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


_TAKES = {
    "import": "an official file or folder, and where to write the table; docs/official.md tells of them",
    "naslib": "a table of NAS-Bench-201, as `python -m bench import` writes it",
}


def _parsed(words: list[str]) -> Callable[[], int]:
    """The command that the words ask for. Raises BadSpec, UnknownName for words that make no sense."""
    said = io.StringIO()
    _require_sense(words)
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
        reason = " ".join(told[1:])  # the first line is the title of a box
        if reason.startswith("Missing from") and words[0] in _TAKES:
            reason = f"{words[0]} takes {_TAKES[words[0]]}"
        raise BadSpec(f"{reason} (see --help)") from None
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


def _require_sense(words: Sequence[str]) -> None:
    """Raises UnknownName, BadSpec for what the parser would refuse in many words, or in the wrong ones."""
    kinds = {one.__metadata__[0].name: one.__origin__ for one in get_args(Command)}
    if not words or words[0] in ("-h", "--help"):
        return
    if words[0] not in kinds:
        if words[0].startswith("-"):
            raise BadSpec(f"{words[0]} stands before the command; options come after it, as in `list {words[0]}`")
        raise UnknownName("command", words[0], kinds)
    for field in dataclasses.fields(kinds[words[0]]):
        given = _given(words[1:], f"--{field.name}")
        if given is not None and _is_positional(field):
            raise BadSpec(f"--{field.name} is no option: write `{words[0]} {field.name.upper()}`, without its name")
        if given and re.search(r"\bint\b", str(field.type)):
            several = str(field.type).startswith("tuple")
            strange = [text for text in (given if several else given[:1]) if not re.fullmatch(r"[+-]?\d+|None", text)]
            if strange:
                noun = "whole numbers" if several else "a whole number"
                raise BadSpec(f"--{field.name} takes {noun}, not {strange[0]!r}")


def _given(words: Sequence[str], option: str) -> list[str] | None:
    """The words behind an option up to the next, or behind its `=`; None where it is not there."""
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == option:
            return [value] if equals else [*itertools.takewhile(lambda w: not w.startswith("--"), words[at + 1 :])]
    return None


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
