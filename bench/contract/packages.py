"""A package outside the program, held to the contract: all its methods and spaces, check by check."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import methods
from bench import plugins, spaces
from bench.contract import combinatorics, searches, small
from bench.contract.small import Refused
from bench.errors import BenchError, UnknownName

TRIED_ON = ("toy", "toy-darts", "nb201")
"""Spaces of the program that a method is tried on, with those of its own package."""

FIRST = TRIED_ON[0]
"""The smallest, on which everything is tried."""

KINDS = ("random", "largest", "parameters", "rsps", "darts-2nd", "snas", "fewshot", "gm-darts", "hep", "fade", "bayes")
"""Methods of the program that a space is tried with: one of each kind."""


@dataclass(frozen=True)
class Outcome:
    """One check. of: the method or the space; told: why it failed, or why a search was refused."""

    of: str
    check: str
    status: Literal["ok", "refused", "failed"]
    told: str = ""


@dataclass(frozen=True)
class Offer:
    """What a package announces. broken: a line for each entry that cannot be had."""

    package: str
    methods: tuple[str, ...]
    spaces: tuple[str, ...]
    broken: tuple[str, ...]


def offer(name: str) -> Offer:
    """What is announced under the name of a package or of the distribution that brings it. Raises UnknownName."""
    every = [entry for group in (methods.GROUP, spaces.GROUP) for entry in plugins.entries(group)]
    ours = [entry for entry in every if name == entry.package or _normal(name) == _normal(entry.distribution)]
    if not ours:
        known = {entry.package for entry in every}
        if known:
            raise UnknownName("plug-in", name, known)
        raise BenchError(
            f"no package announces methods or spaces here, {name!r} neither; give it entry points in "
            f"{methods.GROUP} or {spaces.GROUP} and install it (docs/plug-ins.md)"
        )
    offered = methods.offered()
    lines = [*methods.broken(), *spaces.broken()]
    return Offer(
        ours[0].package,
        tuple(label for label, variant in offered.items() if variant.entry in ours),
        tuple(name for name in (e.name for e in ours if e.group == spaces.GROUP) if spaces.known(name)),
        tuple(line for entry in ours for line in lines if line.startswith(f"{entry}:")),
    )


def _normal(name: str) -> str:
    """As packages are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def outcomes(found: Offer, every: bool = False, debug: bool = False) -> Iterator[Outcome]:
    """Of all checks, one after the other; `every`: spaces with all methods, not one of each kind. debug: what a method
    or space raises is raised."""
    for line in found.broken:
        yield Outcome(found.package, "announced", "failed", line)
    for of, check, made in _checks(found, every):
        yield _outcome(of, check, made, debug)


def _outcome(of: str, check: str, made: Callable[[], Any], debug: bool) -> Outcome:
    try:
        made()
    except Refused as error:
        return Outcome(of, check, "refused", str(error))
    except BenchError as error:
        return Outcome(of, check, "failed", str(error))
    except Exception as error:  # whatever somebody else's code does wrong
        if debug:
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        said = " ".join(str(error).split())
        return Outcome(of, check, "failed", f"{type(error).__name__}: {said} ({last.filename}, line {last.lineno})")
    return Outcome(of, check, "ok")


def _checks(found: Offer, every: bool) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    for name in found.spaces:
        space = spaces.get(name)
        for check in combinatorics.CHECKS:
            yield name, check.__name__, partial(check, space)
        for label in sorted(methods.house()) if every else KINDS:
            yield name, f"searched by {label}", partial(_searched, label, name, False)
    for label in found.methods:
        yield label, "configuration", partial(searches.configuration, label)
        yield label, "a key of its own", partial(searches.key_of_its_own, label)
        for name in (*TRIED_ON, *found.spaces):
            yield label, f"runs on {name}", partial(_searched, label, name, True)
        yield label, "stopped and taken up", partial(_in_folder, searches.a_stop, label)
        yield label, "too few images", partial(_few, label)
    if found.methods:
        cases = [(label, FIRST) for label in found.methods]
        yield found.package, "sees no ground truth", partial(searches.no_truth, cases)


def _searched(label: str, space: str, seeds: bool) -> None:
    with TemporaryDirectory(prefix="supernet-bench-") as folder:
        other = small.spec(label, space, seed=1) if seeds and space == FIRST else None
        searches.a_run(small.spec(label, space), Path(folder), twice=seeds, other_seed=other)


def _in_folder(check: Callable[[Any, Path], None], label: str) -> None:
    with TemporaryDirectory(prefix="supernet-bench-") as folder:
        try:
            check(small.spec(label, FIRST), Path(folder))
        except BenchError as error:
            raise error if isinstance(error, small.Broken) else Refused(str(error)) from error


def _few(label: str) -> None:
    with TemporaryDirectory(prefix="supernet-bench-") as folder:
        searches.too_few_images(label, FIRST, Path(folder))
