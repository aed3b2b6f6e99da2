"""A whole frame (GWF) that came as bytes: read with the code that reads files."""

from collections.abc import Sequence

import gwframe
from gwframe import TimeSeries, _core
from gwframe.types import GPSSpan

from transforms import gps
from transforms.elements import Frame
from transforms.ingest import channels, filename, quality
from transforms.ingest.config import IngestConfig
from transforms.ingest.errors import DataError
from transforms.ingest.gwf_frames import UNREADABLE, decompressed, failed
from transforms.ingest.intervals import clipped, merged
from transforms.ingest.messages import gwf_structure
from transforms.ingest.names import is_channel
from transforms.kinds import LetterKind
from transforms.texts import line


class Message:
    """A frame in memory, open: a `gwf_frames.Reader`."""

    def __init__(self, payload: bytes, source: str) -> None:
        _core.validate_frame_checksums(payload)
        gwf_structure.check(payload, source)
        proc, adc, sim = _core.enumerate_channels_from_bytes(payload, 0)
        self.filename = source
        self.channels: list[str] = [*adc, *proc, *sim]
        times = _core.get_frame_times_from_bytes(payload)
        self.frame_spans = [GPSSpan(start, duration) for start, duration in times]
        self._payload = payload

    def read(self, channels: str, frame_index: int, *, allow_invalid: bool) -> TimeSeries:
        """Decompress one frame of a channel."""
        return gwframe.read_bytes(self._payload, channels, frame_index, allow_invalid=allow_invalid)


def decode(payload: bytes, source: str, config: IngestConfig) -> list[Frame]:
    """Read the strain of a message: each channel of each frame in it, as from a file.

    Samples that are not finite, or that the frame marks as invalid, are not finite here too.

    Raises:
        DataError: It is truncated, damaged or off the GPS grid, or the strain is not there.
    """
    try:
        message = Message(payload, source)
        names = [name for name in message.channels if is_channel(name)]
        if not names:
            raise DataError(
                f"{source}: no channel names its detector; send it like H1:GDS-CALIB_STRAIN",
                LetterKind.CHANNEL,
            )
        return [
            _frame(message, name, number, config.require)
            for name in channels.chosen(source, names, config.channels)
            for number in sorted(
                range(len(message.frame_spans)), key=lambda at: message.frame_spans[at].start
            )
        ]
    except DataError:
        raise
    except (*UNREADABLE, MemoryError) as error:
        raise DataError(
            f"{source}: cannot be read as GWF, truncated or damaged; send it again ({line(error)})"
        ) from error


def _frame(message: Message, channel: str, number: int, require: Sequence[str]) -> Frame:
    """Return one frame of a channel, its state first: where that says no, strain may be missing."""
    span = message.frame_spans[number]
    ends = gps.from_seconds(span.start), gps.from_seconds(span.end)
    bad = failed(message, channel, [number], [ends], require).failed
    gaps, flags = quality.sorted_out(bad, require)
    part = decompressed(message, channel, number)
    length = round(span.duration * part.sample_rate)
    start_ns, end_ns = (
        gps.to_ns(index, part.sample_rate) for index in (part.first, part.first + length)
    )
    return Frame(
        ifo=filename.interferometer(message.filename, channel),
        channel=channel,
        sample_rate=part.sample_rate,
        gps_start_ns=start_ns,
        data=part.samples[:length].tobytes(),
        gaps=tuple(merged(clipped(gaps, start_ns, end_ns))),
        flags=tuple(merged(clipped(flags, start_ns, end_ns))),
        source=message.filename,
    )
