"""`python -m bench`: see `bench.cli.commands`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    if sys.platform == "win32":
        sys.exit("error: Linux and macOS are served; on Windows use WSL, or a container")
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # before a `methods` of the working folder
    from bench.cli.commands import main

    sys.exit(main())
