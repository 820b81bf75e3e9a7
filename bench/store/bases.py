"""What each partition search is at no cut: its base, a search of its own, by its label.

The one place where these settings stand: methods make their bases from it (`methods/bases.py`), studies run them as
searches of their own, and analysis finds their records by it. They are those of the authors' code on NAS-Bench-201;
what is not named is as in `bench.search.learner.Training`.
"""

from __future__ import annotations

_SECOND, _SAMPLED = "darts-2nd(training.batch=48)", "snas(training.alpha_start=0.01, training.batch=48)"

BASES = {
    "fewshot": _SECOND,
    "fewshot-snas": _SAMPLED,
    "fewshot-rsps": "rsps(training.batch=48, training.clip=0.0, training.weight_decay=0.0001)",
    "gm-darts": _SECOND,
    "gm-snas": _SAMPLED,
    "gm-rsps": "rsps(candidates=200, training.batch=48, training.weight_decay=0.0001)",
    "hep": "darts(training.batch=128, training.nesterov=false, training.weight_decay=0.0003)",
}
"""The label of a partition search, as its paper names it -> the label of its base."""

_DARTS = "training.nesterov=false, training.weight_decay=0.0003"  # GM-NAS and HEP-NAS train as the code of DARTS does
_EVEN_SECOND = f"darts-2nd(training.alpha_start=0.0, {_DARTS})"
_EVEN_SAMPLED = f"snas(temperature_end=0.03, training.alpha_start=0.0, {_DARTS})"

ELSEWHERE = {
    "darts": {
        "fewshot": _EVEN_SECOND,
        "fewshot-snas": _EVEN_SAMPLED,
        "gm-darts": _EVEN_SECOND,
        "gm-snas": _EVEN_SAMPLED,
        "hep": f"darts(training.batch=128, {_DARTS})",
    }
}
"""By space, the bases that differ from those of NAS-Bench-201."""
