"""Where cards lie: `cards/` of a results folder, a method and a setting each."""

from __future__ import annotations

from pathlib import Path

from analysis.card import page, pdf
from analysis.card.content import Card
from analysis.output import write_text
from bench.store.files import write_atomically
from bench.store.record import Results

FOLDER = "cards"


def write(card: Card, results: Results) -> tuple[Path, Path]:
    """Write the card as HTML and as PDF, both or none. Raises BenchError where PDFs cannot be made here."""
    printed = pdf.render(card)
    stem = results.root / FOLDER / card.stem
    path = Path(f"{stem}.pdf")  # not with_suffix: the stem may hold dots
    write_atomically(path, printed)
    return write_text(Path(f"{stem}.html"), page.render(card)), path
