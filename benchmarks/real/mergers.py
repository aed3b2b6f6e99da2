"""Catalogued events: how loud a matched filter sees each, found or not, and its label."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.catalogue import Event, events
from benchmarks.real import matched_filter
from benchmarks.real.judged import Searched
from benchmarks.real.matched_filter import Binary, Peak
from models.simulation import noise
from models.simulation.noise import NoiseCurve
from transforms.arrays import BoolArray, RealArray
from transforms.binaries import frequency_at
from transforms.elements import Trigger
from transforms.gps import NANOSECONDS, from_seconds
from transforms.ingest.files import formats

REACH = 0.1
"""How far from the catalogue's time a filter's peak may lie [s]."""
BEFORE, AFTER = 24.0, 8.0
"""Strain that is filtered around a merger [s]."""
CBC = "cbc"
BANDS = ((8.0, np.inf), (7.0, 8.0), (6.0, 7.0), (0.0, 6.0))
"""Of the matched filter's SNR in a detector."""
ASIDE = 1.0
"""Triggers so near to a merger are no background [s]."""
TRACK = 1.25
"""Nor are those along the inspiral, whose frequency is within this factor of its own."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A catalogued event in a detector."""

    event: Event
    ifo: str
    time: float
    """Of the merger in the loudest detector [GPS s]."""
    peak: Peak
    """Of the matched filter, near that time."""
    trigger: Trigger | None
    """The loudest one that holds the merger; labelled."""
    learnt: bool
    """Whether training has drawn noise from the strain."""


@dataclass(frozen=True, kw_only=True)
class _Data:
    """What is filtered for an event in a detector."""

    found: Searched
    strain: RealArray
    sample_rate: int
    start: float
    """GPS time of the first sample [s]."""
    curve: NoiseCurve
    used: BoolArray
    """Where the filter looks, [frequency]."""
    templates: list[Binary] = field(default_factory=list)

    def peaks(self, window: tuple[float, float]) -> list[Peak]:
        """Return each template's loudest point within a window [GPS s]; its time in GPS."""
        ends = window[0] - REACH - self.start, window[1] + REACH - self.start
        found = matched_filter.peaks(
            self.strain, self.sample_rate, self.curve, self.templates, ends, self.used
        )
        return [Peak(each.snr, self.start + each.time, each.binary) for each in found]


def seen(found: Sequence[Searched], missing: list[str]) -> list[Seen]:
    """Filter the strain of catalogued events, and look for their triggers.

    Args:
        found: Searched strain of files that are named after an event.
        missing: Told of each event that cannot be judged, and why.
    """
    by_event: dict[str, list[Searched]] = defaultdict(list)
    for each in found:
        by_event[each.event].append(each)
    rows = []
    for name, own in sorted(by_event.items()):
        event = events().get(name)
        if event is None:
            missing.append(f"{name}: not in benchmarks/events.csv")
            continue
        data = [_data(each, event) for each in own if _holds(each, event, missing)]
        rows += _event(event, data)
    return rows


def _holds(found: Searched, event: Event, missing: list[str]) -> bool:
    inside = found.live[0] <= event.window[0] and event.window[1] <= found.live[1]
    if not inside:
        missing.append(f"{found.file}: the merger ({event.window[0]}) is not in what was analysed")
    return inside


def _data(found: Searched, event: Event) -> _Data:
    """Read the strain as it is in the file: what is searched may be resampled."""
    block = found.block
    ends = block.segment_start_ns, block.segment_end_ns
    whole, rate = formats.read_native(str(found.path), block.channel, *ends)
    strain = np.asarray(whole, np.float64)
    start = block.segment_start_ns / NANOSECONDS
    first = max(round((event.window[0] - BEFORE - start) * rate), 0)
    last = min(round((event.window[1] + AFTER - start) * rate), len(strain))
    curve = noise.measured(found.file, strain, rate)
    usual = noise.load(noise.MEASURED[found.ifo]) if found.ifo in noise.MEASURED else curve
    return _Data(
        found=found,
        strain=strain[first:last],
        sample_rate=rate,
        start=start + first / rate,
        curve=curve,
        used=matched_filter.usable(curve, usual, np.fft.rfftfreq(last - first, 1 / rate)),
        templates=matched_filter.bank(event),
    )


def _event(event: Event, data: Sequence[_Data]) -> list[Seen]:
    if not data:
        return []
    loudest = [max(one.peaks(event.window), key=lambda peak: peak.snr) for one in data]
    known = event.window[0] == event.window[1]
    time = event.window[0] if known else max(loudest, key=lambda peak: peak.snr).time
    rows = []
    for one, first in zip(data, loudest, strict=True):
        near = first if known else max(one.peaks((time, time)), key=lambda peak: peak.snr)
        rows.append(
            Seen(
                event=event,
                ifo=one.found.ifo,
                time=time,
                peak=near,
                trigger=one.found.trigger_at(time),
                learnt=one.found.learnt,
            )
        )
    return rows


def summary(rows: Sequence[Seen]) -> list[dict[str, Any]]:
    """Count the events found, and those called ``cbc``, by the matched filter's SNR."""
    bands = []
    for low, high in BANDS:
        own = [row for row in rows if low <= row.peak.snr < high]
        bands.append(
            {
                "low": low,
                "high": high if np.isfinite(high) else None,
                "count": len(own),
                "found": sum(row.trigger is not None for row in own),
                CBC: sum(row.trigger is not None and row.trigger.label == CBC for row in own),
            }
        )
    return bands


def belongs(trigger: Trigger, event: Event, time: float) -> bool:
    """Return whether a trigger is of an event: near its merger, or along its inspiral.

    Args:
        trigger: Of a detector.
        event: What was there.
        time: Of its merger [GPS s].
    """
    merger, aside = from_seconds(time), from_seconds(ASIDE)
    if trigger.start_ns < merger + aside and trigger.end_ns > merger - aside:
        return True
    left = (merger - trigger.time_ns) / NANOSECONDS
    if left <= 0:
        return False
    at = frequency_at(event.chirp_mass, left)
    return bool(trigger.low_frequency / TRACK <= at <= trigger.high_frequency * TRACK)
