"""What a frame must be to be handed over, in whatever format it came: checked here alone."""

import time
from collections.abc import Sequence

from transforms.elements import DeadLetter, Frame
from transforms.gps import GPS_EPOCH_UNIX, NANOSECONDS, seconds_text
from transforms.ingest.errors import letter_of_message
from transforms.ingest.kafka.source import Decoder
from transforms.ingest.names import ifo_of, is_channel, is_check, shown
from transforms.kinds import LetterKind

LONGEST_FRAME_S = 256
"""Longest frame that is taken live [s]: what comes is held three times until it is analysed."""
_LARGEST_LEAD_NS = 120 * NANOSECONDS
"""No frame ends later than that after now [ns]; the leap seconds since 1980 are part of it."""


class CheckedFrames:
    """A decoder whose frames stop nobody else and fill no memory, and whose names are safe."""

    def __init__(self, decoder: Decoder[Frame]) -> None:
        self._decoder = decoder

    @property
    def pending(self) -> str | None:
        """Return the source of the oldest message that an incomplete frame still needs."""
        return self._decoder.pending

    def feed(self, payload: bytes, source: str, arrived_ns: int) -> Sequence[Frame | DeadLetter]:
        """Decode a message, and return what it completes: frames, or why they are not used."""
        items = self._decoder.feed(payload, source, arrived_ns)
        return [item if isinstance(item, DeadLetter) else _checked(item, payload) for item in items]


def _checked(frame: Frame, payload: bytes) -> Frame | DeadLetter:
    """Return a frame, or a dead letter that says why it cannot be handed over."""
    found = _bad_name(frame) or _bad_extent(frame)
    if found is None:
        return frame
    kind, text = found
    return letter_of_message(frame.source, f"{frame.source}: {text}", payload, kind)


def _bad_name(frame: Frame) -> tuple[LetterKind, str] | None:
    """Return what is wrong with the names; they become parts of paths, queries and pages."""
    if not is_channel(frame.channel) or ifo_of(frame.channel) != frame.ifo:
        text = f"{shown(frame.channel)} is no channel of {shown(frame.ifo)}"
        return LetterKind.CHANNEL, f"{text}; send it like H1:GDS-CALIB_STRAIN"
    odd = next((one.name for one in (*frame.gaps, *frame.flags) if not is_check(one.name)), None)
    if odd is not None:
        text = f"{shown(odd)} is no name of a gap or flag; send it like BURST_CAT2"
        return LetterKind.METADATA, text
    return None


def _bad_extent(frame: Frame) -> tuple[LetterKind, str] | None:
    """Return what is wrong with the time: it would make others late, or fill the memory."""
    lead_ns = frame.gps_end_ns + GPS_EPOCH_UNIX * NANOSECONDS - time.time_ns()
    if frame.gps_start_ns < 0 or lead_ns > _LARGEST_LEAD_NS:
        start = f"GPS {frame.gps_start_ns // NANOSECONDS}"
        return LetterKind.CLOCK, f"{frame.channel} at {start} is not of this time: set its clock"
    if not frame.data:  # one without samples is ours, and ends its channel's stretch
        text = f"{shown(frame.channel)} comes without samples; send some, or nothing"
        return LetterKind.METADATA, text
    length_ns = frame.gps_end_ns - frame.gps_start_ns
    if length_ns > LONGEST_FRAME_S * NANOSECONDS:
        most = f"live takes at most {LONGEST_FRAME_S} s; send shorter frames"
        text = f"{frame.channel} comes in a frame of {seconds_text(length_ns)} s: {most}"
        return LetterKind.METADATA, text
    return None
