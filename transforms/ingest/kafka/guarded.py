"""The one boundary at which messages are decoded: whatever a message does, others go on."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from transforms.elements import DeadLetter, Frame
from transforms.gps import GPS_EPOCH_UNIX, NANOSECONDS, seconds_text
from transforms.ingest.kafka.crashes import MOST_DEATHS, Marks
from transforms.ingest.kafka.source import Decoder, Source
from transforms.ingest.names import is_channel, is_check, shown
from transforms.ingest.series import line
from transforms.kinds import LetterKind

LONGEST_FRAME_S = 256
"""Longest frame that is taken live [s]: what comes is held three times until it is analysed."""
_LARGEST_LEAD_NS = 120 * NANOSECONDS
"""No frame ends later than that after now [ns]; the leap seconds since 1980 are part of it."""


def guarded(source: Source, marks: Marks) -> Source:
    """Return a source whose decoders never raise, and give up messages that end processes."""
    return replace(source, decoder=partial(_guarded, source.decoder, marks))


def _guarded(make: Callable[[], Decoder], marks: Marks) -> Decoder:
    return Guarded(make(), marks)


class Guarded:
    """A decoder of one partition, and all that a frame must be to be handed over."""

    def __init__(self, decoder: Decoder, marks: Marks) -> None:
        """Guard a decoder.

        Args:
            decoder: Makes frames of messages.
            marks: Tell a later process what this one was doing when it died.
        """
        self._decoder = decoder
        self._marks = marks

    @property
    def pending(self) -> str | None:
        """Return the source of the oldest message that an incomplete frame still needs."""
        return self._decoder.pending

    def feed(self, payload: bytes, source: str, arrived_ns: int) -> list[Frame | DeadLetter]:
        """Take a message, and return what it completes."""
        if self._marks.deaths(source) >= MOST_DEATHS:
            text = f"reading it ended the process {MOST_DEATHS} times; look at who sends it"
            return [_letter(source, text, payload, LetterKind.CRASHED)]
        self._marks.begin(source)
        try:
            items = self._decoder.feed(payload, source, arrived_ns)
            return [
                _wrong(item, payload) or item if isinstance(item, Frame) else item for item in items
            ]
        # Anything at all, here and nowhere else: behind this line stand parsers, one of them in
        # C++, and bytes that anybody may send. What they raise cannot be listed, and a message
        # that ended the job would end it again after each restart.
        except Exception as error:
            text = f"cannot be read: {type(error).__name__}: {line(error)}; send it again"
            return [_letter(source, text, payload, LetterKind.DAMAGED)]
        finally:
            self._marks.end()


def _wrong(frame: Frame, payload: bytes) -> DeadLetter | None:
    """Return why a frame cannot be handed over: it would stop others, or fill the memory."""
    lead_ns = frame.gps_end_ns + GPS_EPOCH_UNIX * NANOSECONDS - time.time_ns()
    if frame.gps_start_ns < 0 or lead_ns > _LARGEST_LEAD_NS:
        start = f"GPS {frame.gps_start_ns // NANOSECONDS}"
        text = f"{frame.channel} at {start} is not of this time: set its clock"
        return _letter(frame.source, text, payload, LetterKind.CLOCK)
    if not frame.data:  # one without samples is ours, and ends its channel's stretch
        text = f"{shown(frame.channel)} comes without samples; send some, or nothing"
        return _letter(frame.source, text, payload, LetterKind.METADATA)
    length_ns = frame.gps_end_ns - frame.gps_start_ns
    if length_ns > LONGEST_FRAME_S * NANOSECONDS:
        most = f"live takes at most {LONGEST_FRAME_S} s; send shorter frames"
        text = f"{frame.channel} comes in a frame of {seconds_text(length_ns)} s: {most}"
        return _letter(frame.source, text, payload, LetterKind.METADATA)
    if not is_channel(frame.channel) or frame.channel.partition(":")[0] != frame.ifo:
        text = f"{shown(frame.channel)} is no channel of {shown(frame.ifo)}: name it like H1:STRAIN"
        return _letter(frame.source, text, payload, LetterKind.CHANNEL)
    odd = next((one.name for one in (*frame.gaps, *frame.flags) if not is_check(one.name)), None)
    if odd is not None:
        text = f"{shown(odd)} is no name of a gap or flag: name it like BURST_CAT2"
        return _letter(frame.source, text, payload, LetterKind.METADATA)
    return None


def _letter(source: str, text: str, payload: bytes, kind: LetterKind) -> DeadLetter:
    return DeadLetter(
        source=source,
        reason=f"{source}: {text}",
        checksum=hashlib.sha256(payload).hexdigest(),
        kind=kind,
    )
