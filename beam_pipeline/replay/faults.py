"""What goes wrong with frames on purpose: drawn from a seed, frame by frame."""

import math
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from beam_pipeline.replay.playback import PlayedFrame
from transforms.gps import from_seconds

DROP, CORRUPT, DELAY, REORDER, DUPLICATE = "drop", "corrupt", "delay", "reorder", "duplicate"
KINDS = {
    DROP: "is not sent",
    CORRUPT: "has bytes flipped or cut off",
    DELAY: "comes later, and others go on",
    REORDER: "comes after the next one",
    DUPLICATE: "comes twice",
}
_LONGEST_FLIP = 16
"""Most bytes in a row that are flipped."""
_LONGEST_DELAY = 1e9
"""[s]"""
_TIME = re.compile(r"(?:(?P<ifo>[A-Z][0-9]):)?(?P<gps>[0-9]{1,10}(?:\.[0-9]+)?)")


@dataclass(frozen=True)
class Fault:
    """One kind of fault, and which frames it befalls."""

    kind: str
    """One of ``KINDS``."""
    probability: float = 0.0
    """That it befalls a frame."""
    times: tuple[tuple[str, int], ...] = ()
    """Frames it befalls for sure: detector, or empty for all, and a time in the frame [GPS ns
    in the files]."""
    delay_ns: int = 0
    """How much later than it is due such a frame comes [ns of data]."""


def parse(kind: str, text: str) -> Fault:
    """Read a fault as people write it: ``P`` or ``[IFO:]GPS,...``, for delays ``:SECONDS``.

    Raises:
        ValueError: It is neither; one line.
    """
    form = "a probability such as 0.01, or GPS times such as 1126259450,H1:1126259455"
    which, delay_ns = text, 0
    if kind == DELAY:
        form += ", with :SECONDS behind"
        which, _, seconds = text.rpartition(":")
        delay = _number(seconds)
        # No probability: the line below says so.
        possible = 0 <= delay <= _LONGEST_DELAY
        which, delay_ns = (which, from_seconds(delay)) if possible else ("", 0)
    if 0 <= _number(which) <= 1:
        return Fault(kind, _number(which), delay_ns=delay_ns)
    matches = [_TIME.fullmatch(item) for item in which.split(",")]
    times = tuple(
        (match["ifo"] or "", from_seconds(float(match["gps"]))) for match in matches if match
    )
    if len(times) < len(matches):
        raise ValueError(f"--{kind} {text}: write {form}")
    return Fault(kind, times=times, delay_ns=delay_ns)


def _number(text: str) -> float:
    """Return a number; NaN, which compares with none, where it is not one or not finite."""
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


class Faults:
    """Which fault befalls a frame: at most one, the same for the same seed."""

    def __init__(self, faults: Iterable[Fault], seed: int = 0) -> None:
        """Take faults; of those with times, the first that names a frame befalls it.

        Raises:
            ValueError: The probabilities add up to more than 1.
        """
        order = list(KINDS)
        self._faults: Sequence[Fault] = sorted(faults, key=lambda one: order.index(one.kind))
        self._seed = seed
        if sum(fault.probability for fault in self._faults) > 1 + 1e-9:
            raise ValueError("the probabilities of all faults add up to more than 1")

    def of(self, played: PlayedFrame) -> Fault | None:
        """Return the fault of a frame, or None."""
        for fault in self._faults:
            if any(_is_in(played, ifo, time) for ifo, time in fault.times):
                return fault
        drawn = self._random(played, "fault").random()
        for fault in self._faults:
            drawn -= fault.probability
            if drawn < 0:
                return fault
        return None

    def corrupted(self, played: PlayedFrame, messages: Sequence[bytes]) -> tuple[list[bytes], str]:
        """Return messages of which one is damaged, and how, in words."""
        chance = self._random(played, CORRUPT)
        damaged = list(messages)
        at = chance.randrange(len(damaged))
        message = bytearray(damaged[at])
        place = chance.randrange(len(message))
        if chance.random() < 0.5:
            del message[place:]
            how = f"message {at} cut off after {place} bytes"
        else:
            flipped = range(place, min(place + chance.randint(1, _LONGEST_FLIP), len(message)))
            for number in flipped:
                message[number] ^= chance.randint(1, 255)
            how = f"message {at}, {len(flipped)} bytes from {place} on flipped"
        damaged[at] = bytes(message)
        return damaged, how

    def _random(self, played: PlayedFrame, what: str) -> random.Random:
        """Return chance that depends on nothing but the seed and the frame's place."""
        return random.Random(f"{self._seed} {what} {played.frame.channel} {played.place}")


def _is_in(played: PlayedFrame, ifo: str, time_ns: int) -> bool:
    frame = played.frame
    length_ns = frame.gps_end_ns - frame.gps_start_ns
    inside = played.file_ns <= time_ns < played.file_ns + length_ns
    return inside and ifo in ("", frame.ifo)
