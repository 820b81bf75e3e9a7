"""The grammar of searches, and random draws from it: which parts a search is put together from, as plain data.

A draw is a label of `methods/composed.py` with its settings, so each is a run as any other. Draws are uniform over the
words of one field after the other, in the order of `WORDS`; a field that nothing reads in what is drawn already keeps
its default, so that no search has two names. Nothing here knows how good a draw is: `bench/scoring/halving.py` does.

What is left out, and why: `opinion=perturbation` knows no cross-entropy, by which draws are compared; `opinion=tuned`
trains ten steps for every architecture that is asked about; several cuts of all of a node's operations make more
children than the budget trains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from bench.store.labels import printed
from bench.streams import numpy_stream

METHOD = "composed"
"""Whose settings the words are."""

Settings = Mapping[str, str]

WITHOUT_ALPHA = ("rsps", "fairnas", "gumbel")
"""Bases that train no alpha, and choose among random architectures."""
MEASURED = ("matching", "synflow", "nwot", "jacov", "parameters", "alpha")
"""Groupings that measure distances, by which edges can be compared."""
COMPARED = ("largest-cut", "least-within")
"""Choices of an edge that need such a grouping."""

WORDS: Mapping[str, tuple[str, ...]] = {
    "base": ("rsps", "fairnas", "gumbel", "snas", "gdas", "reinmax", "drnas", "darts", "pc-darts", "fairdarts"),
    "edges": ("none", "first", "largest-cut", "least-within", "random", "hierarchy"),
    "grouping": ("exhaustive", "matching", "random", "synflow", "nwot", "jacov", "parameters", "alpha"),
    "cuts": ("1", "2"),
    "keep": ("all", "best"),
    "teaching": ("none", "both"),
    "inherit": ("state", "weights", "nothing"),
    "judge": ("mixture", "proposal"),
    "opinion": ("paths", "alpha"),
    "before": ("0.25", "0.5", "0.75"),
    "among": ("0.0", "0.25"),
    "candidates": ("10", "20", "40"),
}
"""Fields of a search, in the order in which they are drawn, and their words."""

FIXED: Settings = {"protocol": "fair"}
"""What all draws share: the images of one budget."""

WINNER: Settings = {}
"""The settings that the search over the grammar found; empty until it has run (results/studies/own.md)."""


def _grouping(so_far: Settings, word: str) -> bool:
    if word == "alpha" and so_far["base"] in WITHOUT_ALPHA:
        return False
    if so_far["edges"] == "hierarchy":
        return word != "exhaustive"
    return so_far["edges"] in ("first", "random") or word in MEASURED


def _cuts(so_far: Settings, word: str) -> bool:
    return word == "1" or (so_far["edges"] != "first" and so_far["grouping"] != "exhaustive")


_ALLOWED: Mapping[str, Callable[[Settings, str], bool]] = {
    "grouping": _grouping,
    "cuts": _cuts,
    "opinion": lambda so_far, word: word == "paths" or so_far["base"] not in WITHOUT_ALPHA,
    "among": lambda so_far, word: (word != "0.0") == (so_far["keep"] == "best" or so_far["teaching"] != "none"),
}
"""Whether a word can follow what is drawn."""

_READ: Mapping[str, Callable[[Settings], bool]] = {
    **dict.fromkeys(WORDS, lambda so_far: so_far["edges"] != "none"),
    "base": lambda so_far: True,
    "edges": lambda so_far: True,
    "opinion": lambda so_far: True,
    "judge": lambda so_far: (
        so_far["edges"] != "none" and so_far["base"] not in WITHOUT_ALPHA and so_far["keep"] == "all"
    ),
    "candidates": lambda so_far: so_far["base"] in WITHOUT_ALPHA,
}
"""Whether a field means anything after what is drawn."""


def allowed(so_far: Settings, field: str) -> tuple[str, ...]:
    """The words of a field that can follow what is drawn; none where the field then means nothing."""
    if not _READ[field](so_far):
        return ()
    fits = _ALLOWED.get(field)
    return tuple(word for word in WORDS[field] if fits is None or fits(so_far, word))


def drawn(rng: np.random.Generator) -> dict[str, str]:
    """One search, uniform word by word."""
    found: dict[str, str] = {}
    for field in WORDS:
        words = allowed(found, field)
        if words:
            found[field] = words[int(rng.integers(len(words)))]
    return found


def draws(count: int, seed: int = 0) -> tuple[str, ...]:
    """So many different searches, by label; more of them begin with fewer."""
    rng, found = numpy_stream(seed, "grammar"), dict[str, None]()
    while len(found) < count:
        found[label(drawn(rng))] = None
    return tuple(found)


def label(settings: Settings, **others: str) -> str:
    """How a search of these settings is called: as `python -m bench run --methods` takes it."""
    return printed(METHOD, {**settings, **FIXED, **others})


PLAIN: Settings = {
    "base": "rsps",
    "edges": "none",
    "grouping": "random",
    "cuts": "1",
    "keep": "all",
    "teaching": "none",
    "inherit": "weights",
    "opinion": "paths",
    "before": "0.5",
    "candidates": "20",
}
"""What a part is without an idea in it."""


def ablations(settings: Settings) -> tuple[str, ...]:
    """The search with one part at a time as in `PLAIN`, by label. What goes only with that part goes with it; what is
    needed beside it is the first word that fits."""
    found: dict[str, None] = {}
    for field, word in PLAIN.items():
        if settings.get(field, word) != word:
            beside = {"edges": "random"} if field == "grouping" and settings["edges"] in COMPARED else {}
            found[label(_nearest({**settings, **beside, field: word}, field))] = None
    return tuple(found)


def _nearest(wanted: Settings, kept: str) -> dict[str, str]:
    """The search of the grammar that is nearest to these words. Raises ValueError where `kept` cannot be as wanted."""
    found: dict[str, str] = {}
    for field in WORDS:
        words = allowed(found, field)
        if words:
            word = wanted.get(field, PLAIN.get(field, words[0]))
            found[field] = word if word in words else words[0]
    if found.get(kept) != wanted[kept]:
        raise ValueError(f"{kept}={wanted[kept]} does not go with {found}")
    return found


def every() -> Iterator[dict[str, str]]:
    """All searches of the grammar."""
    todo: list[dict[str, str]] = [{}]
    for field in WORDS:
        more = [(one, allowed(one, field)) for one in todo]
        todo = [{**one, **({field: word} if word else {})} for one, words in more for word in (words or ("",))]
    yield from todo
