"""What may go into files: names that become part of a path, numbers that a table can hold."""

import re

import numpy as np

from transforms.elements import DeadLetter, Event, Segment, Trigger
from transforms.kinds import LetterKind
from transforms.sink.tables import event_row, segment_row, trigger_row
from transforms.texts import storable

_IFO = re.compile(r"[A-Z][0-9]")
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
"""It names a group of an HDF5 file."""
_REPORT = "report it to the software's keepers"


def refused(element: Trigger | Event | Segment) -> DeadLetter | None:
    """Return the dead letter of a result that no file can hold; None where one can.

    Whatever passes is safe: its names stay in the output folder, its rows can be written.
    """
    name = element.channel if isinstance(element, Segment) else element.id
    ifos = element.detectors if isinstance(element, Event) else (element.ifo,)
    wrong = [ifo for ifo in ifos if not _IFO.fullmatch(ifo)]
    if wrong:
        reason = f"its detector is {storable(wrong[0])!r}, not as H1: {_REPORT}"
        return DeadLetter(source=storable(name), reason=reason, kind=LetterKind.CHANNEL)
    try:
        _see(element)
    except (ValueError, OverflowError) as error:
        reason = f"its row cannot be made ({storable(str(error))}): {_REPORT}"
        return DeadLetter(source=storable(name), reason=reason, kind=LetterKind.UNPUBLISHABLE)
    return None


def _see(element: Trigger | Event | Segment) -> None:
    """Check that a row can be made.

    Raises:
        ValueError: It cannot.
        OverflowError: A time is beyond all numbers.
    """
    began_ns = element.start_ns if isinstance(element, Segment) else element.time_ns
    if began_ns < 0:
        raise ValueError("its time lies before GPS time begins")
    if isinstance(element, Segment):
        segment_row(element)
        return
    if not _ID.fullmatch(element.id):
        raise ValueError("its id is no name")
    if isinstance(element, Event):
        event_row(element, "", emitted_at=0.0)
        return
    trigger_row(element, "", emitted_at=0.0)
    if element.snippet and element.snippet_rate <= 0:
        raise ValueError("its strain has no sample rate")
    if not np.isfinite(element.snippet_array).all():
        raise ValueError("its strain is not finite")
