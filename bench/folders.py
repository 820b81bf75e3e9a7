"""Where the user's own files of data are looked for."""

from __future__ import annotations

import os
from pathlib import Path

ENVIRONMENT = "SUPERNET_BENCH_DATA"
REPOSITORY = Path(__file__).resolve().parents[1]


def data_folder(root: Path | None = None) -> Path:
    """`root` where given, else $SUPERNET_BENCH_DATA, else `../shared/data` beside the repository, else `./data`."""
    if root is not None:
        return root.expanduser()
    named = os.environ.get(ENVIRONMENT)
    if named:
        return Path(named).expanduser()
    beside = REPOSITORY.parent / "shared" / "data"
    return beside if beside.is_dir() else Path("data")
