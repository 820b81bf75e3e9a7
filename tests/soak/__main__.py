"""`make soak`: kills, flips, crowds, full disks and hostile files, counted, and written into docs/reliability.md."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cli.commands import main as bench_main
from bench.store.files import write_atomically
from bench.store.record import Results
from bench.store.typed import options

MARK, END = "<!-- generated: soak -->", "<!-- end -->"


@dataclass(frozen=True)
class Wanted:
    """Count what the program survives."""

    kills: int = 200
    """SIGKILLs that meet a command at work."""
    flips: int = 3_000
    """Flips of one bit, for each kind of file."""
    processes: int = 8
    """That work in one folder; three of them are killed."""
    disks: int = 10
    """Moments at which the disk is full."""
    hostile: int = 200
    """Spoilt and hostile files."""
    seed: int = 0
    """Of all that is drawn."""
    only: tuple[str, ...] = ()
    """Of kills, flips, crowd, disks, hostile, needs."""
    write: Path | None = None
    """The page whose generated part is written anew."""


def told(wanted: Wanted) -> tuple[list[str], bool]:
    """The lines of the page, and whether all held."""
    from tests.soak import crowd, disks, flips, hostile, kills, peaks

    lines, held = ["| what | counted | seconds |", "|---|---|---|"], True
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        words = ["--results", str(folder / "made")]
        bench_main(["run", "smoke", "--methods", "random", "largest", "parameters", *words])
        bench_main(["score", "--dataset", "patches", *words])

        def add(name: str, what: str, count: Callable[[], Mapping[str, Any]], bad: Callable[[Any], bool]) -> None:
            nonlocal held
            if wanted.only and name not in wanted.only:
                return
            start = time.monotonic()
            try:
                found = count()
                fine = not bad(found)
            except Exception as error:  # a part that cannot be counted costs itself
                found, fine = {"not counted": " ".join(str(error).split())[-200:]}, False
            spent = time.monotonic() - start
            held = held and fine
            said = ", ".join(f"{key}: {value}" for key, value in found.items())
            lines.append(f"| {what}{'' if fine else ' **(failed)**'} | {said} | {spent:,.0f} |")
            print(lines[-1], file=sys.stderr, flush=True)

        seed = wanted.seed
        for kind, one in flips.kinds(Results(folder / "made"), folder).items():
            add(
                "flips",
                f"one bit of a file turned: {kind}",
                lambda one=one: vars(flips.flipped(one, wanted.flips, seed)),  # type: ignore[misc]
                lambda found: found["different"] or found["crashed"],
            )
        add(
            "hostile",
            "spoilt and hostile files, each met by `list` and `score`",
            lambda: hostile.measured(folder / "made", folder, wanted.hostile, seed),
            lambda found: any(found[name] for name in list(found)[2:]),
        )
        add("disks", "disk full from the nth writing on", lambda: disks.measured(folder, wanted.disks), _disks_failed)
        add(
            "crowd",
            "processes on one study",
            lambda: crowd.measured(folder, wanted.processes, 3, seed),
            lambda found: found["codes of the others"] != [0] or found["records"] != found["runs"],
        )
        add(
            "needs",
            "memory and disk of a run told before it, against the peak of its process",
            lambda: peaks.counted(folder / "needs"),
            lambda found: found["beyond a factor of two"] or found["more on disk than told"],
        )
        add(
            "kills",
            "SIGKILL at random moments",
            lambda: kills.measured(folder, wanted.kills, seed),
            lambda found: found["lost"] or found["different"] or set(found["codes"]) != {0},
        )
    lines.append("")
    lines.append(f"Seed {seed}.")
    return lines, held


def _disks_failed(found: Mapping[str, int]) -> bool:
    return bool(found["tracebacks"] or found["lost"] or found["not mended"])


def main() -> int:
    """The command line: exit code 1 where something did not hold."""
    wanted = options(Wanted, "python -m tests.soak")
    lines, held = told(wanted)
    print("\n".join(lines))
    if wanted.write is not None:
        text = wanted.write.read_text(encoding="utf-8")
        before, _, rest = text.partition(MARK)
        after = rest.partition(END)[2]
        made = "\n".join([MARK, *lines, END])
        write_atomically(wanted.write, f"{before}{made}{after}".encode())
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
