"""Pieces of our pages: their style, figures and tables."""

from collections.abc import Iterable, Sequence
from importlib.resources import files


def style() -> str:
    """Return the style sheet of all pages."""
    return files("transforms.page").joinpath("page.css").read_text("utf-8")


def figure(image: str, caption: str, *, wide: bool = True) -> str:
    """Return an image with its caption; a wide one scrolls on a narrow page."""
    kind = ' class="wide"' if wide else ""
    return (
        f'<figure{kind}><div class="plot">{image}</div><figcaption>{caption}</figcaption></figure>'
    )


def none(text: str) -> str:
    """Return what stands where there is nothing."""
    return f'<p class="none">{text}</p>'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], kinds: str) -> str:
    """Return a table; each column's kind is n(umber), t(ext on one line), s(hare) or - (text)."""
    classes = ["" if kind == "-" else f' class="{kind}"' for kind in kinds]
    head = "".join(f"<th{kind}>{text}</th>" for kind, text in zip(classes, heads, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{text}</td>" for kind, text in zip(classes, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
