"""Strain around an event, from files of any layout that says when it starts and how fast it is.

What the pipeline reads is read by the pipeline's own reader. A file that says less than that
needs (no detector in it or its name, samples off the GPS grid) is taken too: its detector is
told beside it, and a part of a sample is nothing to a label.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from transforms.arrays import FloatArray
from transforms.elements import Span
from transforms.gps import from_seconds, to_index, to_ns
from transforms.ingest import resample
from transforms.ingest.config import IngestConfig
from transforms.ingest.errors import DataError
from transforms.ingest.files import formats
from transforms.ingest.sampling import rate_of

BEFORE_NS, AFTER_NS = 200 * 10**9, 16 * 10**9
"""Strain kept before and after an event [ns]: all that whitening may need."""
_START = ("x0", "t0", "epoch", "start_time", "xstart", "gps_start", "gps", "start")
_SPACING = ("dx", "dt", "delta_t", "xspacing")
_RATE = ("sample_rate", "sampling_rate", "rate", "fs")


@dataclass(frozen=True, kw_only=True)
class Strain:
    """Contiguous finite strain of one detector."""

    ifo: str
    rate: int
    """[Hz], a power of two."""
    first: int
    """Index of the first sample on the GPS grid."""
    samples: FloatArray
    """[time]."""

    @property
    def start_ns(self) -> int:
        """Return the GPS time of the first sample [ns]."""
        return to_ns(self.first, self.rate)

    @property
    def end_ns(self) -> int:
        """Return the GPS time after the last sample [ns]."""
        return to_ns(self.first + len(self.samples), self.rate)


def read(path: Path, ifo: str, time_ns: int) -> Strain:
    """Read the strain around a time.

    Args:
        path: HDF5 or GWF.
        ifo: The detector.
        time_ns: GPS time of the event [ns].

    Raises:
        DataError: There is no finite strain of the detector at the time.
    """
    try:
        spans = formats.describe(str(path), IngestConfig())
    except DataError as error:
        found = _by_hand(path, ifo, error)
    else:
        found = _by_pipeline(path, spans, ifo, time_ns)
    return _usable(path, found, time_ns)


def _by_pipeline(path: Path, spans: Sequence[Span], ifo: str, time_ns: int) -> Strain:
    own = [span for span in spans if span.ifo == ifo]
    if not own:
        held = ", ".join(sorted({span.ifo for span in spans})) or "no strain"
        raise DataError(f"{path}: it holds {held}, not {ifo}; correct the table")
    span = next((s for s in own if s.gps_start_ns <= time_ns < s.gps_end_ns), own[0])
    start = max(span.gps_start_ns, time_ns - BEFORE_NS)
    end = min(span.gps_end_ns, time_ns + AFTER_NS)
    if start >= end:
        raise _outside(path, span.gps_start_ns, span.gps_end_ns)
    samples, rate = formats.read_native(str(path), span.channel, start, end)
    return Strain(
        ifo=ifo, rate=rate, first=to_index(start, rate), samples=np.array(samples, np.float64)
    )


def _by_hand(path: Path, ifo: str, error: DataError) -> Strain:
    """Read HDF5 that says when it starts and how fast it is, however it says so."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            known = [(item, *_said(item)) for item in _series(file)]
            series = [
                (item, start, rate) for item, start, rate in known if start is not None and rate > 0
            ]
            chosen = [each for each in series if ifo in each[0].name] or series
            if len(chosen) != 1:
                raise error
            item, start, rate = chosen[0]
            rate = rate_of(str(path), 1 / rate)
            first = to_index(from_seconds(start), rate)
            return Strain(ifo=ifo, rate=rate, first=first, samples=np.asarray(item[:], np.float64))
    except OSError:
        raise error from None


def _series(file: h5py.File) -> list[Any]:
    found: list[Any] = []

    def visit(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim == 1 and item.dtype.kind == "f":
            found.append(item)

    file.visititems(visit)
    return found


def _said(item: Any) -> tuple[float | None, float]:
    """Return a series' start [GPS s] and sample rate [Hz], None and 0 where nothing says them.

    They are looked for among its attributes, scalars beside it, its group's attributes and
    the file's.
    """
    known: dict[str, float] = {}
    for place in (item.file.attrs, item.parent.attrs, _scalars(item.parent), item.attrs):
        for key, value in place.items():
            number = np.asarray(value)
            if number.size == 1 and number.dtype.kind in "fiu" and np.isfinite(number).all():
                known[str(key).lower()] = float(number.reshape(-1)[0])
    start = next((known[name] for name in _START if name in known), None)
    spacing = next((known[name] for name in _SPACING if name in known), 0.0)
    rate = next((known[name] for name in _RATE if name in known), 0.0)
    return start, rate or (1 / spacing if spacing > 0 else 0.0)


def _scalars(group: Any) -> dict[str, Any]:
    values = group.items()
    return {
        key: value[()]
        for key, value in values
        if isinstance(value, h5py.Dataset) and value.shape == ()
    }


def _usable(path: Path, found: Strain, time_ns: int) -> Strain:
    """Keep what is finite around a time, at a rate that is a power of two."""
    at = to_index(time_ns, found.rate) - found.first
    if not 0 <= at < len(found.samples):
        raise _outside(path, found.start_ns, found.end_ns)
    bad = np.flatnonzero(~np.isfinite(found.samples))
    if np.any(bad == at):
        raise DataError(f"{path}: no finite strain at the time of the event; leave it out")
    low = int(bad[bad < at].max(initial=-1)) + 1
    high = int(bad[bad > at].min(initial=len(found.samples)))
    low = max(low, at - BEFORE_NS * found.rate // 10**9)
    high = min(high, at + AFTER_NS * found.rate // 10**9)
    if not np.ptp(found.samples[low:high]):
        raise DataError(f"{path}: no strain: all samples are alike; leave it out")
    kept = replace(found, first=found.first + low, samples=found.samples[low:high])
    return _resampled(path, kept)


def _resampled(path: Path, found: Strain) -> Strain:
    rate = resample.rate_for(found.rate, IngestConfig().resample_rate)
    if rate == found.rate:
        return found
    margin = resample.margin_ns(rate)
    span = to_index(found.start_ns + margin, rate) + 1, to_index(found.end_ns - margin, rate) - 1
    if span[0] >= span[1]:
        raise DataError(f"{path}: too short to be resampled from {found.rate} Hz; write it longer")
    samples = resample.resample(found.samples, found.first, found.rate, rate, span)
    return Strain(ifo=found.ifo, rate=rate, first=span[0], samples=samples)


def _outside(path: Path, start_ns: int, end_ns: int) -> DataError:
    return DataError(
        f"{path}: its strain is from {start_ns / 1e9:.3f} to {end_ns / 1e9:.3f}, not at the "
        "time of the event; correct the table"
    )
