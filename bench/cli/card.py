"""`card METHOD`: one page about a method, as HTML and PDF, to attach to a submission."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass, field

from bench.cli.outcome import Common, ended
from bench.errors import BadSpec, UnknownName


@dataclass(frozen=True, kw_only=True)
class Card(Common):
    """Make a page about a method: what it is, what it reaches beside baselines at about its images, what was tested
    with which power, the check-list, and the commands that make it again. It is written into RESULTS/cards, as HTML and
    as PDF; the latter needs ReportLab: pip install "supernet-bench[card]"."""

    method: str = field(default="", kw_only=False)
    """A printed name: `python -m bench list methods` shows them. Settings that were changed stand behind it:
    'darts(order=2)'."""
    space: str | None = None
    """Of several settings the one with this space; by default the one with most runs of the method."""
    dataset: str | None = None
    """The one that searched this image set."""
    scale: str | None = None
    """The one of this scale."""
    truth: str | None = None
    """The one that was scored by this table."""
    target: str | None = None
    """Of several data sets that were scored this one; by default the one that was searched."""

    def __call__(self) -> int:
        import methods
        from analysis.card import content, files
        from analysis.load import load
        from bench.store.labels import parsed
        from bench.store.record import Results

        if not self.method:
            raise BadSpec("card takes a method; `python -m bench list methods` shows them")
        label = content.normal(self.method)
        name, _ = parsed(label)
        known = methods.offered()
        if name not in known:
            raise UnknownName("method", name, known)
        own = known[name]
        results = Results(self.results)
        results.check_there()
        about = content.About(label, own.file, inspect.cleandoc(own.module.__doc__ or ""))
        wanted = {field: getattr(self, field) for field in content.FIELDS}
        made = content.make(about, load(results, partial=True).frame, results, wanted)
        paths = files.write(made, results)
        if self.json:
            print(json.dumps({"method": label, "setting": made.setting.slug, "files": [str(path) for path in paths]}))
        else:
            print(*paths, sep="\n")
        return ended(results, 0)
