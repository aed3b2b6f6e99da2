"""Frames as the messages that detectors send: what replays and tests put on a topic."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import gwframe
import numpy as np

from transforms import gps
from transforms.elements import Frame, Interval
from transforms.ingest import quality
from transforms.ingest.config import FORMATS
from transforms.ingest.gwf_frames import FASTEST_STATE
from transforms.ingest.intervals import clipped
from transforms.ingest.masks import unit_of
from transforms.ingest.messages import lldd, row
from transforms.kinds import SegmentKind

_RATES = tuple(1 << power for power in range(4, FASTEST_STATE.bit_length()))
"""Rates of state vectors and masks [Hz]; 16 Hz is that of the detectors' own."""
_Masks = dict[str, tuple[np.ndarray, int, str]]
"""By channel: values, rate [Hz], and the unit, which names the bits."""


def encode(frames: Sequence[Frame], kind: str) -> list[bytes]:
    """Return the messages of frames, one of each detector over one stretch of time, in order.

    Args:
        frames: What is sent.
        kind: One of ``FORMATS``: ``lldd`` and ``gwf`` put all of it in one GWF frame,
            ``lldd`` sends that in parts, ``row`` sends a message for each.

    Raises:
        ValueError: The frames do not belong together, or do not fit the format.
    """
    if kind == "row":
        return [row.encode(frame) for frame in frames]
    payload = encode_gwf(frames)
    if kind == "gwf":
        return [payload]
    if kind == "lldd":
        return lldd.split(payload, frames[0].gps_start_ns // gps.NANOSECONDS)
    raise ValueError(f"no format {kind}; use one of {', '.join(FORMATS)}")


def encode_gwf(frames: Sequence[Frame]) -> bytes:
    """Write frames, one of each detector over one stretch of time, as one GWF frame.

    Gaps and flags go where GWF has a place: into a state vector and GWOSC's masks beside
    the strain, of which reading makes them again. Samples that are not finite, or constant,
    speak for themselves.

    Raises:
        ValueError: The frames do not belong together, or an interval has no place in GWF.
    """
    spans = {(frame.gps_start_ns, frame.gps_end_ns) for frame in frames}
    if len(spans) != 1 or len({frame.ifo for frame in frames}) != len(frames):
        raise ValueError("a GWF frame holds one stretch of time, and one strain a detector")
    ((start_ns, end_ns),) = spans
    if start_ns == end_ns:
        raise ValueError("a GWF frame holds samples; send rows")
    written = gwframe.Frame(
        start=gps.to_seconds(start_ns),
        duration=gps.to_seconds(end_ns - start_ns),
        name="".join(sorted({frame.ifo[0] for frame in frames})),
    )
    for frame in frames:
        written.add_channel(frame.channel, frame.samples.copy(), frame.sample_rate, unit="strain")
        for name, (values, rate, unit) in _masks(frame).items():
            written.add_channel(name, values, rate, unit=unit)
    payload: bytes = written.write_bytes()
    return payload


def _masks(frame: Frame) -> _Masks:
    """Return the channels beside a strain, with their rates [Hz], that hold its gaps and flags."""
    left = [_told(item) for item in (*frame.gaps, *frame.flags) if not _is_seen(item)]
    older = any(item.name in quality.OLDER_NAMES for item in left)
    beside = {
        quality.STATE_CHANNEL: ((quality.STATE_VECTOR,), 0b11),
        "DQMASK": ((*quality.DQ_NAMES, *quality.OLDER_NAMES) if older else quality.DQ_NAMES, 1),
        "INJMASK": (quality.INJECTION_NAMES, 1),
    }
    masks: _Masks = {}
    for kind, (names, bits) in beside.items():
        known = [(item, _bit(item.name, names)) for item in left if _bit(item.name, names) >= 0]
        left = [item for item in left if _bit(item.name, names) < 0]
        if known:
            values, rate = _mask(frame, known, len(names), bits)
            unit = "" if kind == quality.STATE_CHANNEL else unit_of(names)
            masks[_named(frame.channel, kind)] = values, rate, unit
    if left:
        raise ValueError(f"GWF has no bit that says {left[0].name}; send rows")
    return masks


def _is_seen(item: Interval) -> bool:
    return item.kind in (SegmentKind.NOT_FINITE, SegmentKind.CONSTANT)


def _told(item: Interval) -> Interval:
    """Return an interval by the name that GWF has for it: what may be bad is not ready."""
    return replace(item, name=quality.STATE_VECTOR) if item.name == quality.UNKNOWN else item


def _bit(name: str, names: Sequence[str]) -> int:
    """Return which of the checks an interval says has failed; -1 for none."""
    return next((at for at, check in enumerate(names) if check in (name, f"NO_{name}")), -1)


def _named(channel: str, kind: str) -> str:
    if "STRAIN" in channel:
        return channel.replace("STRAIN", kind)
    if kind == quality.STATE_CHANNEL:
        return f"{channel}_{kind}"
    raise ValueError(f"GWF has no mask for {channel}, whose name says no STRAIN; send rows")


def _mask(
    frame: Frame, known: Iterable[tuple[Interval, int]], number: int, bits: int
) -> tuple[np.ndarray, int]:
    """Return a mask of so many checks, each of ``bits``, 0 where it failed, and its rate [Hz]."""
    start_ns, end_ns = frame.gps_start_ns, frame.gps_end_ns
    parts = [(cut, bit) for item, bit in known for cut in clipped([item], start_ns, end_ns)]
    edges = {start_ns, end_ns, *(edge for cut, _ in parts for edge in (cut.start_ns, cut.end_ns))}
    for rate in _RATES:
        if all(gps.to_ns(gps.to_index(edge, rate), rate) == edge for edge in edges):
            break
    else:
        raise ValueError(f"GWF masks have at most {FASTEST_STATE} Hz; send rows")
    first = gps.to_index(start_ns, rate)
    values = np.full(gps.to_index(end_ns, rate) - first, (1 << number * bits.bit_length()) - 1)
    for cut, bit in parts:
        span = slice(*(gps.to_index(edge, rate) - first for edge in (cut.start_ns, cut.end_ns)))
        values[span] &= ~(bits << bit)
    return values.astype(np.uint32), rate
