"""How figures are drawn: one style, as SVG of the page's own colours or as PNG for anywhere."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from io import BytesIO, StringIO
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f")
"""Distinct in any common form of colour vision (Okabe and Ito)."""

PALETTE = 64
"""Colours of a PNG."""

_INK, _LINE = "#0a0b0c", "#0d0e0f"
"""Stand for the page's own colours of text and of faint lines."""
_PALE = "#e3e4e6"
"""Faint lines on white."""
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "wavefier",
    "text.parse_math": False,
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor"), _INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), _INK),
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
}


@contextmanager
def drawing(width: float, height: float, *, page: bool = True) -> Iterator[Figure]:
    """Yield a figure of some inches to draw on.

    Args:
        width: [inch].
        height: [inch].
        page: Whether it takes its colours from a page; else it is drawn for white.
    """
    with mpl.rc_context(), warnings.catch_warnings():
        # Only the room that a text takes is guessed then; a page's reader has more fonts.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        mpl.rcdefaults()  # whoever imported gwpy has its style, and others have theirs
        mpl.rcParams.update(_STYLE)
        if not page:
            mpl.rcParams.update({"grid.color": _PALE})
        yield Figure(figsize=(width, height))


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG file on white, of few colours: a third of the size."""
    drawn, stream = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png", facecolor="white", dpi=100)
    with Image.open(drawn) as image:
        image.convert("RGB").quantize(PALETTE).save(stream, "png", optimize=True)
    return stream.getvalue()


def svg(figure: Figure, name: str, description: str) -> Markup:
    """Return the figure as an element of a page, with identifiers of its own."""
    stream = StringIO()
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(stream, format="svg", transparent=True, dpi=144, metadata=metadata)
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'(?<=\bid=")|(?<=url\(#)|(?<=xlink:href="#)', f"{name}-", text)
    text = text.replace(_INK, "currentColor").replace(_LINE, "var(--line)")
    view = re.search(r'viewBox="[^"]*"', text)
    opening = f'<svg role="img" aria-label="{escape(description)}" {view[0] if view else ""}>'
    return Markup(opening + text[text.index(">") + 1 :])  # matplotlib escapes its texts
