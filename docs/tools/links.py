"""Check that the links of the documentation lead somewhere: ``python -m docs.tools.links``.

Looked at are relative links with their anchors, and files of this repository that are named in
code. No network is asked.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = (
    *("beam_pipeline", "transforms", "models", "flink", "benchmarks"),
    *("docs", "examples", "tests"),
)
BUILT = "target"
"""Folder of what Maven builds: it is not in the repository."""

_FENCE = re.compile(r"^(```+|~~~+).*?^\1\s*?$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_PATH = re.compile(rf"`((?:{'|'.join(ROOMS)})/[\w./*-]+)`")
_MODULE = re.compile(r"`(\w+\.py)`")
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A link that leads nowhere."""

    page: str
    line: int
    target: str
    why: str

    def __str__(self) -> str:
        """Return it as a line of a compiler."""
        return f"{self.page}:{self.line}: {self.target}: {self.why}"


def pages(root: Path = ROOT) -> list[Path]:
    """Return the pages that people read."""
    found = [*root.glob("*.md"), *(root / "docs").rglob("*.md"), *(root / "tests").rglob("*.md")]
    return sorted(found)


def broken(paths: Sequence[Path], root: Path = ROOT) -> Iterator[Broken]:
    """Yield the links of some pages that lead nowhere.

    Args:
        paths: Markdown files.
        root: Folder of the repository; nothing outside of it is linked to.
    """
    modules = {path.name for room in ROOMS for path in (root / room).rglob("*.py")}
    modules.update(path.name for path in root.glob("*.py"))
    for path in paths:
        shown = _without_blocks(path.read_text("utf-8"))
        prose = _blanked(_CODE, shown)
        for found in _LINK.finditer(prose):
            if why := _wrong(path, found[1], root):
                yield _broken(path, root, prose, found, why)
        for found in _PATH.finditer(shown):
            if BUILT not in Path(found[1]).parts and not any(root.glob(found[1].rstrip("/"))):
                yield _broken(path, root, shown, found, "no such file")
        for found in _MODULE.finditer(shown):
            if found[1] not in modules:
                yield _broken(path, root, shown, found, "no module of this name")


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and the site make them."""
    known: set[str] = set()
    for heading in _HEADING.findall(_without_blocks(text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")
        number, name = 0, slug
        while name in known:
            number += 1
            name = f"{slug}-{number}"
        known.add(name)
    return known


def _wrong(page: Path, target: str, root: Path) -> str:
    if _ELSEWHERE.match(target):
        return ""
    name, _, anchor = target.partition("#")
    file = (page.parent / name).resolve() if name else page
    if not file.is_relative_to(root):
        return "lies outside the repository"
    if not file.exists():
        return "no such file"
    if anchor and file.suffix == ".md" and anchor not in anchors(file.read_text("utf-8")):
        return "no such heading"
    return ""


def _without_blocks(text: str) -> str:
    return _blanked(_COMMENT, _blanked(_FENCE, text))


def _blanked(pattern: "re.Pattern[str]", text: str) -> str:
    """Replace what matches by as many lines without anything."""
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def _broken(page: Path, root: Path, text: str, found: "re.Match[str]", why: str) -> Broken:
    return Broken(
        page=str(page.relative_to(root)),
        line=text.count("\n", 0, found.start()) + 1,
        target=found[1],
        why=why,
    )


def main() -> int:
    """Print what is broken, a line for each; return 1 if anything is."""
    found = list(broken(pages()))
    for one in found:
        print(one)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
