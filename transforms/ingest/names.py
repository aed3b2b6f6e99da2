"""Names that come with data: of gaps and flags, which become reasons, columns and labels."""

import re

# Several stand between commas; nothing that means something in a path, a query or a page.
_CHECK = re.compile(r"(?! )[^\x00-\x1f\x7f-\U0010ffff,/\\\"'<>`{}]{1,128}(?<! )")
_SHOWN = 60


def is_check(name: str) -> bool:
    """Tell whether a name can be that of a gap or flag, such as BURST_CAT2 or state vector."""
    return _CHECK.fullmatch(name) is not None


def shown(name: str) -> str:
    """Quote a name that came with data, cut short."""
    return repr(name if len(name) <= _SHOWN else f"{name[: _SHOWN - 3]}...")
