"""Names that come with data: of detectors and channels, and of gaps and flags."""

import re

# Several stand between commas; nothing that means something in a path, a query or a page.
_CHECK = re.compile(r"(?! )[^\x00-\x1f\x7f-\U0010ffff,/\\\"'<>`{}]{1,128}(?<! )")
_IFO = re.compile(r"[A-Z][0-9]")
# Names become parts of paths, queries and pages: nothing that means something there.
_CHANNEL = re.compile(r"[A-Z][0-9]:[^\x00-\x20\x7f-\U0010ffff/\\\"'<>`{}]{1,250}")
_SHOWN = 60


def is_check(name: str) -> bool:
    """Return whether a name can be that of a gap or flag, such as BURST_CAT2 or state vector."""
    return _CHECK.fullmatch(name) is not None


def shown(name: str) -> str:
    """Quote a name that came with data, cut short."""
    return repr(name if len(name) <= _SHOWN else f"{name[: _SHOWN - 3]}...")


def is_channel(name: str) -> bool:
    """Return whether a name is a whole channel name, such as H1:GDS-CALIB_STRAIN.

    After the detector, up to 250 characters of ASCII that print, but no space, slash,
    backslash, quote, backtick, angle bracket or brace.
    """
    return _CHANNEL.fullmatch(name) is not None


def is_interferometer(name: str) -> bool:
    """Return whether a name is that of an interferometer, such as H1."""
    return _IFO.fullmatch(name) is not None


def completed(name: str, ifo: str) -> str:
    """Return a channel's whole name: that in the file, with its detector before it.

    A name that cannot be used even so is returned as it is.
    """
    whole = f"{ifo}:{name}"
    return whole if ifo and not is_channel(name) and is_channel(whole) else name


def ifo_of(channel: str) -> str:
    """Return the interferometer of a channel, from its whole name."""
    return channel.partition(":")[0]
