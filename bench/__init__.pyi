from bench.runs.api import Searched as Searched
from bench.runs.api import run as run
from bench.store.record import Results as Results

__all__ = ["Results", "Searched", "run"]
