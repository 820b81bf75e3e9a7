from bench.runs.api import Searched as Searched
from bench.runs.api import Supernets as Supernets
from bench.runs.api import load as load
from bench.runs.api import run as run
from bench.store.record import Results as Results

__all__ = ["Results", "Searched", "Supernets", "load", "run"]
