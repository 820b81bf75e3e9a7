"""The letters of figures: DejaVu Sans, which comes with matplotlib, with the signs alone that figures write.

A PDF holds the letters that it uses, and taking these out of a font of 6,000 takes longer than drawing. So they are
taken out of one of 600, made once for a user and a version of matplotlib. What it lacks comes from the whole font.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from bench.store.files import write_atomically

WHOLE, FAMILY = "DejaVu Sans", "Supernet Bench Sans"
_FACES = ("DejaVuSans", "DejaVuSans-Bold")
_SIGNS = (
    *(range(0x20, 0x7F), range(0xA0, 0x180), range(0x370, 0x400), range(0x2010, 0x2040)),  # Latin, Greek, punctuation
    *(range(0x2190, 0x2194), range(0x2200, 0x2270)),  # arrows, mathematics
)
_VERSION = 1
_NAMES = (1, 3, 4, 6, 16)  # of a font: family, identifier, full name, that of PostScript, typographic family


@lru_cache
def families() -> list[str]:
    """The families in which figures look for a sign, the first first; made known to matplotlib now."""
    import matplotlib
    from matplotlib import font_manager

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for face in _FACES:
        whole = folder / f"{face}.ttf"
        mark = hashlib.blake2b(f"{_VERSION}\0{_SIGNS}\0".encode() + whole.read_bytes(), digest_size=8).hexdigest()
        path = Path(matplotlib.get_cachedir()) / f"{face}-{mark}.ttf"
        if not path.exists():
            write_atomically(path, _few(whole))
        font_manager.fontManager.addfont(path)
    return [FAMILY, WHOLE]


def _few(whole: Path) -> bytes:
    """The font of a file with the signs of figures alone, and a name of its own."""
    import io

    from fontTools import subset
    from fontTools.ttLib import TTFont

    font = TTFont(whole, recalcBBoxes=False, recalcTimestamp=False)
    options = subset.Options(
        layout_features=["*"], glyph_names=True, legacy_kern=True, name_IDs=["*"], notdef_outline=True
    )
    options.drop_tables += ["FFTM"]  # a time stamp of the editor, which fontTools does not know
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[sign for signs in _SIGNS for sign in signs])
    subsetter.subset(font)
    for record in font["name"].names:
        if record.nameID in _NAMES:
            joined = WHOLE.replace(" ", ""), FAMILY.replace(" ", "")
            record.string = record.toUnicode().replace(WHOLE, FAMILY).replace(*joined)
    stream = io.BytesIO()
    font.save(stream, reorderTables=False)
    return stream.getvalue()
