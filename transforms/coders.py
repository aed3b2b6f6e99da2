"""How elements travel between stages: bytes, event time, and the outputs beside the main one.

An element's bytes are a version and its fields, in order, in Beam's own primitives. Import
this module wherever a PCollection of elements is made; it registers the coders.
"""

import os
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

import apache_beam as beam
from apache_beam.coders import Coder, FastPrimitivesCoder
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp

from transforms import elements, gps

SEGMENTS = "segments"
DEAD_LETTERS = "dead_letters"
TaggedSegment: TypeAlias = TaggedOutput[Literal["segments"], elements.Segment]
TaggedDeadLetter: TypeAlias = TaggedOutput[Literal["dead_letters"], elements.DeadLetter]

_FIELDS = FastPrimitivesCoder()
_WITH_PATHS = (elements.Span, elements.Piece)
"""Their first field is a path, of any bytes."""
VERSION = 4
"""Of the format; whoever changes the fields of an element counts it up."""


def event_time(gps_ns: int) -> Timestamp:
    """Return Beam's timestamp of a GPS time [ns]."""
    return Timestamp(micros=gps.to_event_micros(gps_ns))


def timed(value: Any, gps_ns: int) -> TimestampedValue:
    """Return a value at a GPS time [ns]."""
    return TimestampedValue(value, event_time(gps_ns))


class ElementCoder(Coder):  # type: ignore[misc]
    """Encode one frozen dataclass as its version and the tuple of its fields.

    Field order is the format; nothing is pickled, so a rename of a module breaks no data in
    flight. Which fields hold elements or kinds themselves, their annotations say.
    """

    element: type

    def encode(self, value: Any) -> bytes:
        """Return the bytes of one element."""
        try:
            encoded: bytes = _FIELDS.encode((VERSION, *_packed(value)))
        except UnicodeEncodeError:  # a path that is not UTF-8
            encoded = _FIELDS.encode(_as_bytes((VERSION, *_packed(value))))
        return encoded

    def decode(self, encoded: bytes) -> Any:
        """Return the element of some bytes.

        Raises:
            ValueError: Another version wrote them.
        """
        version, *values = _FIELDS.decode(encoded)
        if version != VERSION:
            raise ValueError(f"{self.element.__name__} of version {version}, not {VERSION}")
        return _unpacked(self.element, values)

    def estimate_size(self, value: Any) -> int:
        """Return about the number of bytes; Beam's counters ask, and would encode each block."""
        return sum(len(f) if isinstance(f, (bytes, str)) else 8 for f in vars(value).values())

    def is_deterministic(self) -> bool:
        """Equal elements have equal bytes: all fields are primitives."""
        return True


def _packed(value: Any) -> tuple[Any, ...]:
    fields = tuple(vars(value).values())
    element: Any = type(value)
    inside = _inside(element)
    if not inside:
        return fields
    packed = list(fields)
    for place, kind in inside:
        if is_dataclass(kind):
            packed[place] = tuple(_packed(item) for item in fields[place])
        else:
            packed[place] = str(fields[place])
    return tuple(packed)


def _unpacked(element: type, values: Sequence[Any]) -> Any:
    unpacked = list(values)
    if element in _WITH_PATHS and isinstance(unpacked[0], bytes):
        unpacked[0] = os.fsdecode(unpacked[0])
    for place, kind in _inside(element):
        if is_dataclass(kind):
            unpacked[place] = tuple(_unpacked(kind, item) for item in unpacked[place])
        else:
            unpacked[place] = kind(unpacked[place])
    return element(**dict(zip(_names(element), unpacked, strict=True)))


def _as_bytes(packed: tuple[Any, ...]) -> tuple[Any, ...]:
    """Replace paths that are no text by their bytes."""
    return tuple(
        _as_bytes(item)
        if isinstance(item, tuple)
        else os.fsencode(item)
        if isinstance(item, str) and not item.isprintable()
        else item
        for item in packed
    )


@cache
def _names(element: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(element))


@cache
def _inside(element: type) -> tuple[tuple[int, type], ...]:
    """List the places of fields that are no primitives: tuples of elements, and kinds."""
    hints = get_type_hints(element)
    found = []
    for place, field in enumerate(fields(element)):
        hint = hints[field.name]
        item = get_args(hint)[0] if get_origin(hint) is tuple else hint
        if isinstance(item, type) and (is_dataclass(item) or issubclass(item, StrEnum)):
            found.append((place, item))
    return tuple(found)


def _register(element: type) -> type[ElementCoder]:
    coder = type(f"{element.__name__}Coder", (ElementCoder,), {"element": element})
    beam.coders.registry.register_coder(element, coder)
    return coder


SpanCoder = _register(elements.Span)
BlockPlanCoder = _register(elements.BlockPlan)
FrameCoder = _register(elements.Frame)
BlockCoder = _register(elements.Block)
WhitenedCoder = _register(elements.Whitened)
CandidateCoder = _register(elements.Candidate)
SearchResultCoder = _register(elements.SearchResult)
TriggerCoder = _register(elements.Trigger)
PendingClustersCoder = _register(elements.PendingClusters)
ProgressCoder = _register(elements.Progress)
ArrivalCoder = _register(elements.Arrival)
EventCoder = _register(elements.Event)
BackgroundHourCoder = _register(elements.BackgroundHour)
PastHoursCoder = _register(elements.PastHours)
ToldCoder = _register(elements.Told)
NetworkStateCoder = _register(elements.NetworkState)
SegmentCoder = _register(elements.Segment)
DeadLetterCoder = _register(elements.DeadLetter)
