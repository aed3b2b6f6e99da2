"""Reasons in few words: what is written for a person has names and numbers in it, a label must not.

A label of a metric makes a series for each of its values, for ever: senders must not be able
to make new ones.
"""

OTHER = "other"
LETTERS = (
    ("came too late", "late"),
    ("is not of this time", "clock"),
    (" comes at ", "rate"),
    ("no power of two", "rate"),
    ("sample rate", "rate"),
    ("do not lie on the GPS grid", "off grid"),
    ("parts are missing", "incomplete"),
    ("damaged", "damaged"),
    ("truncated", "damaged"),
    ("cannot be read", "damaged"),
    ("do not fit", "damaged"),
    ("where the frame promises", "damaged"),
    ("is neither LLDD, GWF nor a row", "unknown format"),
    ("is empty", "unknown format"),
    ("of version", "unknown format"),
    ("channel", "channel"),
    ("no strain", "channel"),
    ("its message cannot be made", "unpublishable"),
)
"""What a dead letter's reason contains, and its kind; the first that fits counts."""
GAPS = ("no data", "too short", "not finite", "constant", "state vector", "filter edge")
"""How the reasons of gaps begin; whatever else was asked for by ``ingest.require`` is a check."""
CHECK = "required check"


def letter_kind(reason: str) -> str:
    """Give the kind of a dead letter."""
    return next((kind for part, kind in LETTERS if part in reason), OTHER)


def gap_kind(reason: str) -> str:
    """Give the kind of a gap."""
    return next((kind for kind in GAPS if reason.startswith(kind)), CHECK)
