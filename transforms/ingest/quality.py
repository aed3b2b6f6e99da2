"""Which samples may not be analysed, and which are flagged: from masks and from the strain."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from transforms import gps
from transforms.arrays import FloatArray
from transforms.elements import Interval
from transforms.ingest.intervals import merged, runs
from transforms.kinds import SegmentKind

NOT_FINITE = SegmentKind.NOT_FINITE.value
STATE_VECTOR = SegmentKind.STATE_VECTOR.value
STATE_CHANNEL = "STATE_VECTOR"
"""What the name of a state vector's channel contains."""
UNKNOWN = "data quality unknown"
"""Why strain is not analysed where a mask whose bits are required has no value."""
CONSTANT = SegmentKind.CONSTANT.value
SHORTEST_CONSTANT = 16
"""Fewest equal samples in a row that are called constant."""
LARGEST = 1e30
"""What is larger counts as not finite: spectra of it do not fit float32, nor its square float64."""

DQ_NAMES = ("DATA", "CBC_CAT1", "CBC_CAT2", "CBC_CAT3", "BURST_CAT1", "BURST_CAT2", "BURST_CAT3")
INJECTION_NAMES = (
    "NO_CBC_HW_INJ",
    "NO_BURST_HW_INJ",
    "NO_DETCHAR_HW_INJ",
    "NO_CW_HW_INJ",
    "NO_STOCH_HW_INJ",
)
"""GWOSC's bits in order since O1, for masks that do not name them (gwosc.org/archive/dataset)."""
OLDER_NAMES = (
    *(f"CBC{band}_CAT{number}" for band in ("HIGH", "LOW") for number in range(1, 5)),
    "BURST_CAT2E",
    "CW_CAT1",
    "STOCH_CAT1",
)
"""Names of other bits in the masks of S5 and S6."""
DOCUMENTED_NAMES = (*DQ_NAMES, *INJECTION_NAMES, *OLDER_NAMES)
"""Names of bits in any of GWOSC's masks."""

Values = FloatArray | np.ndarray


def integers(values: Values) -> np.ndarray:
    """Return the values of a mask as integers; what is not finite has no bit set."""
    values = np.asarray(values)
    if values.dtype.kind == "f":
        values = np.where(np.abs(values) < 2.0**62, values, 0)
    return values.astype(np.int64)


def unset_bits(
    mask: Values, names: Mapping[int, str] | Sequence[str], first: int, rate: int
) -> list[Interval]:
    """Return where each bit of a mask is 0.

    Args:
        mask: Integers, shape [time].
        names: What the bits say, by their number, or from the lowest.
        first: Index of the first value on the mask's GPS grid.
        rate: The mask's sample rate [Hz].
    """
    bits = integers(mask)
    return [
        Interval(gps.to_ns(first + int(begin), rate), gps.to_ns(first + int(end), rate), name)
        for bit, name in (names.items() if isinstance(names, Mapping) else enumerate(names))
        for begin, end in runs((bits >> bit) & 1 == 0)
    ]


def sorted_out(
    failed: Iterable[Interval], require: Sequence[str]
) -> tuple[list[Interval], list[Interval]]:
    """Split failed checks into gaps (required) and flags; ``NO_X`` failed means flag ``X``.

    Where a state vector fails, or nothing tells whether what is required holds, is a gap.
    """
    gaps, flags = [], []
    for item in failed:
        if item.name in (STATE_VECTOR, UNKNOWN) or item.name in require:
            gaps.append(item)
        else:
            flags.append(replace(item, name=item.name.removeprefix("NO_")))
    return gaps, flags


def not_ready(state: Values, first: int, rate: int) -> list[Interval]:
    """Return where a state vector is not analysis ready: bits 0 and 1 not both set."""
    ready = integers(state) & 3 == 3
    return [
        Interval(
            gps.to_ns(first + int(begin), rate),
            gps.to_ns(first + int(end), rate),
            STATE_VECTOR,
        )
        for begin, end in runs(~ready)
    ]


def shortest_constant_ns(rate: int) -> int:
    """Return the shortest run of equal samples that is a gap [ns]: 1/16 s, at least 16 samples."""
    return max(gps.NANOSECONDS // 16, gps.to_ns(SHORTEST_CONSTANT, rate))


def scan(chunk: FloatArray, first: int, rate: int) -> list[Interval]:
    """Return the non-finite samples and the constant runs of contiguous strain.

    A constant run that touches an end of the chunk is given however short it is, with
    its value beside: it may go on next door, in the next chunk or file. Joined with
    its neighbours by `merged`, it is judged by `constant_runs`.

    Args:
        chunk: Strain, shape [time].
        first: Index of the first sample on the GPS grid.
        rate: Sample rate [Hz].
    """
    finite = np.abs(chunk) <= LARGEST
    found = [(begin, end, SegmentKind.NOT_FINITE, 0.0) for begin, end in runs(~finite)]
    equal = (chunk[1:] == chunk[:-1]) & finite[1:] & finite[:-1]
    ends = [(int(edge), int(edge) + 1) for edge in {0, len(chunk) - 1} if finite[edge]]
    least = max(SHORTEST_CONSTANT, -(-rate // 16)) - 1
    long = [
        (begin, end + 1) for begin, end in runs(equal) if _counts(begin, end, len(equal), least)
    ]
    found += [
        (begin, end, SegmentKind.CONSTANT, float(chunk[begin]) + 0.0) for begin, end in ends + long
    ]
    return merged(
        Interval(
            gps.to_ns(first + int(begin), rate),
            gps.to_ns(first + int(end), rate),
            kind.value,
            value,
        )
        for begin, end, kind, value in found
    )


def _counts(begin: int, end: int, length: int, least: int) -> bool:
    return begin == 0 or end == length or end - begin >= least


def settled(gaps: Iterable[Interval], rate: int) -> list[Interval]:
    """Join gaps. Drop constant runs that are too short, and the value of the others."""
    shortest = shortest_constant_ns(rate)
    kept = []
    for item in merged(gaps):
        if item.kind is not SegmentKind.CONSTANT:
            kept.append(item)
        elif item.end_ns - item.start_ns >= shortest:
            kept.append(replace(item, value=0.0))
    return merged(kept)


def open_ended(gaps: Iterable[Interval], start_ns: int, end_ns: int, rate: int) -> list[Interval]:
    """Return gaps without the constant runs that are short and touch no end of [start, end)."""
    shortest = shortest_constant_ns(rate)
    return [
        item
        for item in merged(gaps)
        if item.kind is not SegmentKind.CONSTANT
        or item.end_ns - item.start_ns >= shortest
        or item.start_ns == start_ns
        or item.end_ns == end_ns
    ]
