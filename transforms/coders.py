"""How elements travel between stages: bytes, event time, and the outputs beside the main one.

An element's bytes are its fields, in order, in Beam's own primitives. Import this module
wherever a PCollection of elements is made; it registers the coders.
"""

from dataclasses import fields
from typing import Any, Literal, TypeAlias

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
_NESTED = {
    "gaps": elements.Interval,
    "flags": elements.Interval,
    "pieces": elements.Piece,
    "candidates": elements.Candidate,
    "published": elements.Trigger,
}


def event_time(gps_ns: int) -> Timestamp:
    """Give Beam's timestamp of a GPS time [ns]."""
    return Timestamp(micros=gps.to_event_micros(gps_ns))


def timed(value: Any, gps_ns: int) -> TimestampedValue:
    """Give a value at a GPS time [ns]."""
    return TimestampedValue(value, event_time(gps_ns))


class ElementCoder(Coder):  # type: ignore[misc]
    """Encode one frozen dataclass as the tuple of its fields.

    Type and field order are the format; nothing is pickled, so a rename of a module
    breaks no data in flight.
    """

    element: type

    def encode(self, value: Any) -> bytes:
        """Give the bytes of one element."""
        values = []
        for name in self._names():
            field = getattr(value, name)
            if name in _NESTED:
                field = tuple(tuple(vars(item).values()) for item in field)
            values.append(field)
        encoded: bytes = _FIELDS.encode(tuple(values))
        return encoded

    def decode(self, encoded: bytes) -> Any:
        """Give the element of some bytes."""
        values = [
            tuple(_NESTED[name](*item) for item in field) if name in _NESTED else field
            for name, field in zip(self._names(), _FIELDS.decode(encoded), strict=True)
        ]
        return self.element(*values)

    def estimate_size(self, value: Any) -> int:
        """Give about the number of bytes; Beam's counters ask, and would encode each block."""
        return sum(len(f) if isinstance(f, (bytes, str)) else 8 for f in vars(value).values())

    def _names(self) -> list[str]:
        return [field.name for field in fields(self.element)]

    def is_deterministic(self) -> bool:
        """Equal elements have equal bytes: all fields are primitives."""
        return True


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
SearchedCoder = _register(elements.Searched)
TriggerCoder = _register(elements.Trigger)
OpenCoder = _register(elements.Open)
SegmentCoder = _register(elements.Segment)
DeadLetterCoder = _register(elements.DeadLetter)
