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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from bench.cli.card import Card
from bench.cli.check import Check
from bench.cli.describe import Describe
from bench.cli.estimate_command import Estimate
from bench.cli.evolving import Evolve
from bench.cli.halving import Halve
from bench.cli.keeping import Aside, Seal
from bench.cli.list_command import List
from bench.cli.official_commands import Fetch, Import, Latency, Naslib
from bench.cli.outcome import Common, ended, said
from bench.cli.rerun import Rerun
from bench.cli.retraining import Retrain
from bench.cli.running import RunCommand
from bench.cli.sharing import Collect, Plan
from bench.cli.verify import Verify
from bench.errors import BadRecord, BadSpec, BenchError, Died, NoSuchEntry, UnknownName, counted
from bench.store import hints
from bench.store.names import plain_terminal
from bench.store.own import content, own
from bench.store.typed import parsed, program

FEW = 30
"""Architectures with an estimate and a truth, below which `score` says that tau is of few."""


@dataclass(frozen=True, kw_only=True)
class ScoreCommand(Common):
    """Join every record with ground truth: accuracy, regret, rank, rank correlation. Repeats no search, nor a score
    that is there already."""

    truth: str = "embedded"
    """The embedded table, the path of a converted one, or what a surrogate is fitted on: a CSV list of cells of DARTS,
    surrogate:PATH of a table of Accel-NASBench, or transfer:PATH of one for chains of macro."""
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


def _gaps(rows: Sequence[Any], results: Any) -> Iterator[str]:
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
    """The key of the other, or its beginning; with --with it may be left out, and is the same key there."""
    beside: Annotated[
        Path | None, Parameter(name="--with", help="The results folder of the other, where it is another one.")
    ] = None
    all: bool = False
    """What is the same, too."""

    def __call__(self) -> int:
        from bench.cli import compare

        if not self.b and self.beside is None:
            raise BadSpec(
                "diff takes two keys, or one and --with FOLDER for the same run there; `python -m bench list` shows "
                "the keys"
            )
        return compare.show_diff(self.a, self.b, self.results, self.all, self.json, self.beside)


COMMANDS: dict[str, type[Callable[[], int]]] = {
    "run": RunCommand,
    "halve": Halve,
    "estimate": Estimate,
    "score": ScoreCommand,
    "evolve": Evolve,
    "retrain": Retrain,
    "list": List,
    "show": Show,
    "describe": Describe,
    "card": Card,
    "verify": Verify,
    "rerun": Rerun,
    "diff": Diff,
    "check": Check,
    "import": Import,
    "latency": Latency,
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
    app.register_install_completion_command(help="Make the TAB key complete commands and options: see docs/use.md.")
    try:
        asked: Callable[[], int] | None = parsed(app, words)
    except OSError as error:  # of --install-completion, which alone writes here
        raise BenchError(f"cannot write the completion: {error.filename}: {error.strerror}; mend that first") from None
    return asked


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. The exit code is 0; 1 where a run failed or diverged; 2 for a one-line error; 130 if stopped."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = None
    plain_terminal()
    if sys.platform == "win32":  # which has neither of the locks that files are written under
        said("error: Linux and macOS are served; on Windows use WSL, or a container")
        return 2
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
