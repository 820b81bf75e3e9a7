"""The process that opens files which could execute code: `python -m bench.truth.official.child`.

It takes one job per line on standard input and answers with lines of JSON on standard output, so that nothing of what
it read reaches the process that started it but numbers and texts. Before it opens anything it gives up the right to
write files, and it is started in an empty folder and without the user's environment.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.truth.official import reading
from bench.truth.official.measurements import Row


def rows(job: dict[str, Any]) -> Iterator[Row]:
    """The rows of one job: `kind` and `path`, and for one architecture `offset`, `size` and `index`."""
    path = Path(job["path"])
    if job["kind"] == "nats-architecture":
        yield reading.nats_architecture(path, job["offset"], job["size"], job["index"])
    else:
        yield from {"nats": reading.nats_file, "pth": reading.nb201_pth, "naslib": reading.naslib_pickle}[job["kind"]](
            path
        )


def main() -> int:
    """Answer every job with its rows, then with `{"done": true}`, or with `{"error": line}`."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a package prints is no answer
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    for line in sys.stdin:
        try:
            for row in rows(json.loads(line)):
                answers.write(json.dumps({"row": row}) + "\n")
            answer: dict[str, Any] = {"done": True}
        except BenchError as error:
            answer = {"error": str(error).replace("\n", " ")}
        except (OSError, MemoryError) as error:
            answer = {"error": f"cannot be read ({type(error).__name__}: {error})".replace("\n", " ")}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
