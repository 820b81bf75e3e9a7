"""`python -m bench`: see `bench.cli.commands`."""

import sys

from bench.cli.commands import main

if __name__ == "__main__":
    sys.exit(main())
