"""Which image set is asked for: by its name, or a person's own by where it lies."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BadSpec, UnknownName
from bench.images import NAMES, OWN
from bench.store.own import content, own


@dataclass(frozen=True)
class Asked:
    """name: as records have it. data: the folder of image files, or a person's own set itself. notes: lines for the
    person who asked."""

    name: str
    data: Path | None
    notes: tuple[str, ...] = ()


def asked(dataset: str, data: Path | None, known: Callable[[], Collection[str]] = tuple) -> Asked:
    """What was asked for; a person's own set is read now, since its images are its name.

    known: the sets that the runs of a results folder have searched. The same images keep the name that they have there.
    Raises UnknownName, BadSpec, BadData.
    """
    from bench.images.own import place

    there = place(dataset)
    if there is None:
        if ":" in dataset:
            raise UnknownName("image set", dataset, (*NAMES, *OWN))
        return Asked(dataset, data)
    if data is not None:
        raise BadSpec(f"{dataset} says where its images are; leave --data out")
    name, notes = there.load().name, []
    others = [found for each in sorted(known()) if (found := own(each)) is not None]
    same = next((one.name for one in others if content(one.name) == content(name)), name)
    if same != name:
        notes.append(f"the images of {dataset} are called {same} in these results, and keep that name")
    word = there.word
    notes += [
        f"{same} is another set than {one.name}, which runs in these results searched; each is drawn for itself"
        for one in others
        if one.word == word and content(one.name) != content(name)
    ]
    return Asked(same, there.path, tuple(notes))
