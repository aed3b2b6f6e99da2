"""What MkDocs does beside its own: links to files that are no pages of the site."""

import re
from typing import Any

_OUTSIDE = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+)([^)#\s]+)[^)]*\)")


def on_page_markdown(markdown: str, /, *, page: Any, **_: Any) -> str:
    """Name a file of the repository where a page links to it: the site holds ``docs`` alone."""
    depth = page.file.src_uri.count("/") + 1

    def named(found: "re.Match[str]") -> str:
        outside = len(found[2]) // len("../") >= depth
        return f"{found[1]} (`{found[3]}`)" if outside else found[0]

    return _OUTSIDE.sub(named, markdown)
