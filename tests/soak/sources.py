"""Files as others publish them, made up."""

from __future__ import annotations

import json
from pathlib import Path


def macro(path: Path) -> Path:
    """A file in the form of NAS-Bench-Macro's, of made-up accuracies."""
    from bench.spaces.layout import RELEASED_MACRO
    from bench.spaces.macro import SPACE
    from bench.truth import counts
    from tests.test_macro_truth import _entry

    content = {}
    for row, genotype in enumerate(SPACE.population):
        sizes = (count(SPACE, genotype, RELEASED_MACRO) for count in (counts.parameters, counts.multiply_adds))
        content[SPACE.show(genotype)] = _entry([90.0 + (row % 40) / 10] * 3, *sizes)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
