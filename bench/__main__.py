"""`python -m bench`: see `bench.cli.commands`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # before a `methods` of the working folder
    from bench.cli.commands import main

    sys.exit(main())
