"""One block under search: its strain at every octave's rate, and the spectra in force."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from transforms.arrays import SingleArray
from transforms.detect.bank import Bank
from transforms.detect.config import DetectConfig
from transforms.detect.decimate import halve
from transforms.detect.octave import CUT, Octave
from transforms.elements import Interval, Whitened
from transforms.gps import NANOSECONDS, to_index, to_ns

Series = dict[int, SingleArray]
"""Rate [Hz] -> [time]."""

MOST_DELAY = 0.15
"""Largest delay of the whitening filter that is corrected for [s]."""
SNIPPET_RATE = 4096
"""Highest rate at which whitened strain is kept with a candidate [Hz]."""


@dataclass(frozen=True, kw_only=True)
class Snippet:
    """Whitened strain around a candidate."""

    samples: bytes = b""
    rate: int = 0
    """[Hz]."""
    start_ns: int = 0
    """GPS time of the first sample."""


NO_SNIPPET = Snippet()


@dataclass(frozen=True, kw_only=True)
class View:
    """What is needed to search and to describe."""

    whitened: Whitened
    config: DetectConfig
    bank: Bank
    series: Series

    @classmethod
    def of(cls, whitened: Whitened, config: DetectConfig, bank: Bank) -> "View":
        """Decimate whitened strain, which starts on a whole second, to a bank's rates."""
        series: Series = {}
        strain = whitened.samples
        rate, lowest = bank.sample_rate, min(bank.rates()[-1], SNIPPET_RATE)
        series[rate] = strain
        while rate > lowest:
            rate //= 2
            series[rate] = strain = halve(strain)
        return cls(whitened=whitened, config=config, bank=bank, series=series)

    @property
    def origin(self) -> int:
        """Return the GPS second of the first sample."""
        return self.whitened.gps_start_ns // NANOSECONDS

    def blocks(self, octave: Octave, hop: int, count: int) -> SingleArray:
        """View the strain of ``count`` hops and their surroundings, [hop, time]."""
        strain, rate = self.series[octave.rate], octave.rate
        start = (hop - self.origin) * rate - octave.lead
        view = np.lib.stride_tricks.sliding_window_view(strain[start:], octave.size)
        return view[:: octave.rate][:count]

    def _in_force(self, time_ns: int) -> int:
        """Return the row of ``asd`` and ``response`` in force at a time."""
        update = (time_ns - self.whitened.asd_start_ns) // self.whitened.asd_step_ns
        return min(max(update, 0), len(self.whitened.asd_array) - 1)

    def asd(self, time_ns: int, frequency: float) -> float:
        """Return the amplitude spectral density in force at a time [strain/sqrt(Hz)]."""
        row = self.whitened.asd_array[self._in_force(time_ns)]
        at = frequency / self.whitened.asd_resolution
        low = min(int(at), len(row) - 2)
        return float(np.interp(at, (low, low + 1), row[low : low + 2]))

    def delay(self, time_ns: int, frequency: float, q: float) -> float:
        """Return by how much the whitening filter delays a wavelet [s].

        The time from the wavelet's centre to the top of the envelope that the bank sees
        of it.
        """
        response = self.whitened.response_array[self._in_force(time_ns)]
        step = self.whitened.asd_resolution
        low = max(0, int((frequency - CUT * frequency / q) / step))
        band = response[low : int((frequency + CUT * frequency / q) / step) + 2]
        f = (low + np.arange(len(band))) * step
        weight = np.exp(-(((f - frequency) * q / frequency) ** 2))
        size = 1 << (8 * len(band)).bit_length()
        envelope = np.abs(np.fft.ifft(weight * band, size))
        near = int(MOST_DELAY * step * size)
        lag = np.arange(-near, near + 1)
        return float(lag[np.argmax(envelope[lag])] / (step * size))

    def snippet(self, time_ns: int) -> Snippet:
        """Cut the whitened strain around a time; zero beyond its ends."""
        rate = min(SNIPPET_RATE, self.bank.sample_rate)
        strain = self.series[rate]
        start = to_index(time_ns, rate) - round(self.config.snippet_before * rate)
        count = round((self.config.snippet_before + self.config.snippet_after) * rate)
        at = start - self.origin * rate
        out = np.zeros(count, np.float32)
        low, high = max(at, 0), min(at + count, len(strain))
        if low < high:
            out[low - at : high - at] = strain[low:high]
        return Snippet(samples=out.tobytes(), rate=rate, start_ns=to_ns(start, rate))


def flags_over(
    flags: tuple[Interval, ...], start_ns: int, end_ns: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the data-quality flags and the hardware injections over a stretch, each sorted."""
    over = [f for f in flags if f.start_ns < end_ns and f.end_ns > start_ns]
    return _names(f for f in over if not f.is_injection), _names(f for f in over if f.is_injection)


def _names(flags: Iterable[Interval]) -> tuple[str, ...]:
    return tuple(sorted({flag.name for flag in flags}))
