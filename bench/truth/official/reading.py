"""Rows of the official files, one architecture at a time, through the packages' own classes, in a child process."""

from __future__ import annotations

import bz2
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.errors import BadTable
from bench.truth.official import unpickling
from bench.truth.official.measurements import Row, finite, row_of

LARGEST = 1 << 26
"""Bytes that one architecture's file may unpack to; the released ones take 0.33 million."""

_NAMES_201 = {"less": 12, "full": 200}
"""What NAS-Bench-201 calls its two trainings; NATS-Bench names them by epochs."""

_NASLIB = ("cifar10-valid", "cifar100", "ImageNet16-120")
"""The data sets of NASLib's files."""


def nats_architecture(path: Path, offset: int, size: int, index: int) -> Row:
    """One architecture of a NATS-Bench topology folder, or of the archive of that folder: `size` bytes at `offset`."""
    from nats_bench import ArchResults

    with path.open("rb") as stream:
        stream.seek(offset)
        content = unpickling.decompressed(stream.read(size), LARGEST)
    return _row(index, _unpickled(content), ArchResults, _epochs_of_nats)


def nats_file(path: Path) -> Iterator[Row]:
    """All architectures of the NATS-Bench topology file, which is held in memory as a whole."""
    from nats_bench import ArchResults

    try:
        with bz2.open(path, "rb") as stream:
            found = unpickling.load(stream)
    except OSError as error:
        raise BadTable(f"is no whole bz2 file ({error}); fetch it again") from None
    yield from _all(found, ArchResults, _epochs_of_nats)


def nb201_pth(path: Path) -> Iterator[Row]:
    """All architectures of a NAS-Bench-201 file, which is held in memory as a whole."""
    from nas_201_api import ArchResults

    yield from _all(unpickling.load_pth(path), ArchResults, _epochs_of_201)


def naslib_pickle(path: Path) -> Iterator[Row]:
    """All architectures of a `nb201_…_full_training.pickle` of NASLib: curves of one data set, without index, seeds,
    splits or training times that could be told apart."""
    with path.open("rb") as stream:
        found = unpickling.load(stream)
    if not isinstance(found, dict) or not found:
        raise BadTable(f"holds a {type(found).__name__}, not a dictionary of architectures")
    for arch, datasets in found.items():
        try:
            row: Row = {"index": None, "arch": str(arch), "runs": [], "latency": [], "counts": []}
            for dataset, curves in datasets.items():
                _add_curves(row, dataset, curves)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise BadTable(f"architecture {arch!r}: no record of NASLib ({type(error).__name__}: {error})") from None
        yield row


def _add_curves(row: Row, dataset: str, curves: Mapping[str, Any]) -> None:
    if dataset not in _NASLIB:
        raise BadTable(f"holds curves of {dataset!r}; known: {', '.join(_NASLIB)}")
    epochs = len(curves["eval_acc1es"])
    # At every epoch the official files evaluate CIFAR-10 networks on x-valid, and the others on ori-test only.
    scored = "x-valid" if dataset == "cifar10-valid" else "ori-test"
    for split, name in (("train", "train"), (scored, "eval")):
        accuracies, losses = curves[f"{name}_acc1es"], curves[f"{name}_losses"]
        if not len(accuracies) == len(losses) == epochs:
            raise ValueError("curves of unequal length")
        row["runs"].append([dataset, epochs, "run", split, finite(accuracies[-1]), finite(losses[-1]), None])
    costs = curves["cost_info"]
    row["counts"].append([dataset, epochs, finite(costs["params"]), finite(costs["flops"])])
    if costs.get("latency"):
        row["latency"].append([dataset, epochs, "run", finite(costs["latency"])])


def _all(found: Any, kind: Any, epochs_of: Any) -> Iterator[Row]:
    """The rows of a whole file; each architecture is let go when its row is made."""
    if not isinstance(found, dict) or not isinstance(found.get("arch2infos"), dict):
        raise BadTable("holds no dictionary with 'arch2infos'; is it another file?")
    states = found.pop("arch2infos")
    for index in sorted(states):
        yield _row(index, states.pop(index), kind, epochs_of)


def _row(index: int, states: Any, kind: Any, epochs_of: Any) -> Row:
    if not isinstance(states, dict) or not all(isinstance(state, dict) for state in states.values()):
        # given a text, the packages would take it for the name of a file and unpickle that
        raise BadTable(f"architecture {index}: is no dictionary of trainings")
    try:
        return row_of(index, {epochs_of(name): kind.create_from_state_dict(state) for name, state in states.items()})
    except BadTable as error:
        raise BadTable(f"architecture {index}: {error}") from None
    except (AttributeError, LookupError, TypeError, ValueError, AssertionError, ArithmeticError) as error:
        raise BadTable(f"architecture {index}: not as the package wrote it ({type(error).__name__}: {error})") from None


def _epochs_of_nats(name: str) -> int:
    return int(name)


def _epochs_of_201(name: str) -> int:
    return _NAMES_201[name]


def _unpickled(content: bytes) -> Any:
    return unpickling.load(io.BytesIO(content))
