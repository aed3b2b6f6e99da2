"""Triggers as the network sees them: one by one, and as sorted arrays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from transforms.arrays import FloatArray, SingleArray
from transforms.coincide.features import Index
from transforms.elements import Arrival, Trigger
from transforms.gps import NANOSECONDS, to_index, to_ns

RATE = 2048
"""Of the waveforms [Hz]."""
COUNT = 1024
"""Samples of a waveform: a quarter of a second either side of the peak."""
LONGEST_NS = NANOSECONDS
"""No extent counts farther from the peak [ns]: a longer one would meet all there is."""
PADDING_NS = 15_000_000
"""A waveform goes on for so long before and after the trigger's extent [ns]."""
BAND = (0.9, 1.1)
"""A waveform's band goes from the lower edge times the first to the upper edge times the second."""
LARGEST = 1e6
"""Beyond so many standard deviations nothing is whitened strain, and squares must not overflow."""
SLOWEST = 64
"""A snippet of a lower rate makes no waveform [Hz]: nothing is searched for below 16 Hz."""

OCTAVES, LOWEST = 8, 20.0
"""Octaves of places, and where the lowest begins [Hz]; beyond the ends the next one counts."""
DURATIONS = (0.05, 0.3)
"""Between the durations of places [s]."""
PLACES = OCTAVES * (len(DURATIONS) + 1)
"""How many places there are."""

_WAVEFORM = ("waveform", "waveform_rate", "waveform_start_ns")
_COPIED = tuple(field.name for field in fields(Arrival) if field.name not in _WAVEFORM)
_COLUMNS = (
    "frequency",
    "low_frequency",
    "high_frequency",
    "bandwidth",
    "duration",
    "q",
    "snr",
    "rank",
    "amplitude",
)


def arrival(trigger: Trigger) -> Arrival:
    """Return what the network needs of a trigger.

    The waveform is the whitened strain within the trigger's own extent, as far as it lies in
    the quarter of a second before and after the peak: 1024 samples at 2048 Hz, zero outside.
    The stretch of the snippet is transformed, what lies outside of the band is taken out, and
    the rest is transformed back at 2048 Hz. So a snippet at 4096 Hz loses what is above
    1024 Hz, and one at 1024 Hz has nothing above 512 Hz. The sum of its squares stays what it
    is in the snippet: the squared SNR of what was kept. The samples lie on the GPS grid, the
    middle one (number 512) next to the peak; of a slower snippet, next to it on the slower grid.

    The waveform is empty where there is no snippet, where its rate is no power of two from
    64 Hz on, where a sample is not finite, and where no sample lies within the extent.
    """
    samples, start_ns = _waveform(trigger)
    return Arrival(
        **{name: getattr(trigger, name) for name in _COPIED},
        waveform=samples.tobytes(),
        waveform_rate=RATE if len(samples) else 0,
        waveform_start_ns=start_ns,
    )


_NONE = np.zeros(0, np.float32), 0


def _waveform(trigger: Trigger) -> tuple[SingleArray, int]:
    """Return the waveform, [time], and the time of its first sample [GPS ns]."""
    rate = trigger.snippet_rate
    if rate < SLOWEST or rate & (rate - 1) or not trigger.snippet or len(trigger.snippet) % 4:
        return _NONE
    slower = min(rate, RATE)
    middle = to_index(trigger.time_ns, slower) * (RATE // slower)
    first = middle - COUNT // 2
    stretch = _stretch(trigger, first * rate // RATE, COUNT * rate // RATE)
    if not np.isfinite(stretch).all():
        return _NONE
    start_ns = to_ns(first, RATE)
    inside = _in_band(np.clip(stretch, -LARGEST, LARGEST), trigger, slower)
    inside[~_in_time(trigger, start_ns)] = 0
    return (inside, start_ns) if inside.any() else _NONE


def _stretch(trigger: Trigger, first: int, count: int) -> FloatArray:
    """Cut samples out of the snippet, zero where it has none: [time]."""
    samples = trigger.snippet_array
    at = first - to_index(trigger.snippet_start_ns, trigger.snippet_rate)
    out = np.zeros(count)
    low, high = max(at, 0), min(at + count, len(samples))
    if low < high:
        out[low - at : high - at] = samples[low:high]
    return out


def _in_band(stretch: FloatArray, trigger: Trigger, slower: int) -> SingleArray:
    """Return what lies in the trigger's band, [time], at the rate of the waveforms."""
    spectrum = np.fft.rfft(stretch)[: COUNT // 2 + 1]
    f = np.arange(len(spectrum)) * (RATE / COUNT)
    low, high = trigger.low_frequency * BAND[0], trigger.high_frequency * BAND[1]
    spectrum[~((f >= low) & (f <= high) & (f < slower / 2))] = 0
    scale = np.sqrt(COUNT / len(stretch))
    return np.asarray(np.fft.irfft(spectrum, COUNT) * scale, np.float32)


def _in_time(trigger: Trigger, start_ns: int) -> npt.NDArray[np.bool_]:
    """Return which samples lie in the trigger's extent, [time]."""
    low = max(trigger.start_ns - PADDING_NS, trigger.time_ns - LONGEST_NS) - start_ns
    high = min(trigger.end_ns + PADDING_NS, trigger.time_ns + LONGEST_NS) - start_ns
    t = np.arange(COUNT) * NANOSECONDS // RATE
    return np.asarray((t >= low) & (t < high))


def place(frequency: FloatArray, duration: FloatArray) -> Index:
    """Return where triggers are in frequency and duration, 0 to ``PLACES`` - 1, of any shape.

    Three times the octave from 20 Hz on (8 of them), plus 0 below 50 ms, 1 below 300 ms, 2 from
    there on.

    Args:
        frequency: [Hz].
        duration: [s].
    """
    octave = np.searchsorted(LOWEST * 2.0 ** np.arange(1, OCTAVES), frequency, side="right")
    longer = np.searchsorted(DURATIONS, duration, side="right")
    return np.asarray((len(DURATIONS) + 1) * octave + longer, np.int64)


@dataclass(frozen=True, kw_only=True)
class Arrivals:
    """Triggers of one detector, sorted by time and id: equal sets are equal arrays."""

    members: tuple[Arrival, ...]
    classes: tuple[str, ...]
    time_ns: Index
    """GPS time of the peak [ns], [arrival]."""
    start_ns: Index
    """Of the extent that counts, at most ``LONGEST_NS`` before the peak [GPS ns], [arrival]."""
    end_ns: Index
    """After the peak, and at most ``LONGEST_NS`` after it, [arrival]."""
    frequency: FloatArray
    """[Hz], [arrival]; so are both edges of the band and its width."""
    low_frequency: FloatArray
    high_frequency: FloatArray
    bandwidth: FloatArray
    duration: FloatArray
    """[s], [arrival], as published: however long."""
    q: FloatArray
    snr: FloatArray
    rank: FloatArray
    amplitude: FloatArray
    place: Index
    """See ``place``, [arrival]."""
    probabilities: FloatArray
    """[arrival, class]; all alike where a trigger has none of these classes."""
    waveforms: SingleArray
    """[arrival, 1024] at 2048 Hz; zero where a trigger has none."""
    waveform_start_ns: Index
    """GPS time of the first sample [ns], [arrival]."""
    waveform_first: Index
    """First sample that is not zero, [arrival]."""
    waveform_end: Index
    """After the last sample that is not zero, [arrival]; not above the first where all are."""
    energies: FloatArray
    """Sum of the squares of a waveform, [arrival]."""

    def __len__(self) -> int:
        return len(self.members)

    @classmethod
    def of(cls, arrivals: Iterable[Arrival], classes: Sequence[str]) -> "Arrivals":
        """Sort arrivals and put their columns together.

        Args:
            arrivals: Of one detector, each once, in any order.
            classes: Whose probabilities are kept, in this order.
        """
        members = tuple(sorted(arrivals, key=lambda each: (each.time_ns, each.id)))
        times = [(m.time_ns, m.start_ns, m.end_ns, m.waveform_start_ns) for m in members]
        peak, start, end, waveform_start = np.array(times, np.int64).reshape(-1, 4).T.copy()
        values = [[getattr(m, name) for name in _COLUMNS] for m in members]
        by_name = np.array(values, float).reshape(-1, len(_COLUMNS)).T.copy()
        columns = dict(zip(_COLUMNS, by_name, strict=True))
        waveforms = _waveforms(members)
        first, after = _support(waveforms)
        return cls(
            members=members,
            classes=tuple(classes),
            time_ns=peak,
            start_ns=np.clip(start, peak - LONGEST_NS, peak),
            end_ns=np.clip(end, peak + 1, peak + LONGEST_NS),
            place=place(columns["frequency"], columns["duration"]),
            probabilities=_probabilities(members, tuple(classes)),
            waveforms=waveforms,
            waveform_start_ns=waveform_start,
            waveform_first=first,
            waveform_end=after,
            energies=_energies(waveforms),
            **columns,
        )


def _waveforms(members: tuple[Arrival, ...]) -> SingleArray:
    size = COUNT * np.dtype(np.float32).itemsize
    zero = bytes(size)
    whole = (m.waveform_rate == RATE and len(m.waveform) == size for m in members)
    data = b"".join(m.waveform if w else zero for m, w in zip(members, whole, strict=True))
    return np.frombuffer(data, np.float32).reshape(-1, COUNT)


def _support(waveforms: SingleArray) -> tuple[Index, Index]:
    loud = waveforms != 0
    first = np.argmax(loud, axis=1)
    after = COUNT - np.argmax(loud[:, ::-1], axis=1)
    return first, np.where(loud.any(axis=1), after, 0)


def _energies(waveforms: SingleArray) -> FloatArray:
    """Sum squares row by row, so that no row's sum depends on the others."""
    return np.array([np.sum(np.square(row, dtype=float)) for row in waveforms], float)


def _probabilities(members: tuple[Arrival, ...], classes: tuple[str, ...]) -> FloatArray:
    if not classes:
        return np.zeros((len(members), 0))
    told = (dict(m.probabilities) for m in members)
    rows = [[each.get(name, 0.0) for name in classes] for each in told]
    out = np.array(rows, float).reshape(-1, len(classes))
    out[~(np.isfinite(out) & (out >= 0)).all(axis=1)] = 0
    out[out.sum(axis=1) == 0] = 1 / len(classes)
    return out
