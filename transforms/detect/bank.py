"""The wavelet bank: complex Morlet wavelets of several Q, each octave at its own rate."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from transforms.arrays import FloatArray, RealArray
from transforms.detect.config import DetectConfig
from transforms.detect.decimate import HALF_BAND
from transforms.detect.octave import CUT, Octave, Wavelet
from transforms.detect.searchable import top_frequency

PAST_SECONDS = 3
"""What of the energies must be known before the hop in which an extended signal ends."""
PASSBAND = 0.4
"""Part of an octave's rate that its decimation filter leaves untouched."""
LOWEST_RATE = 128


def q_step(mismatch: float) -> float:
    """Return the largest step of ln q at which the bank loses ``mismatch`` of energy at most.

    Of a wavelet that lies dq and df beside one of the bank, this loses the part
    dq^2 / (2 q^2) + (1 + q^2) df^2 / (2 f^2) (after Chatterji 2005, PhD thesis, MIT, section
    5, whose Q is sqrt(2) q): q and f share the loss; time is refined between samples.
    """
    return float(2 * np.sqrt(mismatch))


def f_step(q: npt.ArrayLike, mismatch: float) -> FloatArray:
    """Return the same of ln f, at a quality q."""
    return np.asarray(2 * np.sqrt(mismatch / (1 + np.square(q))))


def q_ladder(low: float, high: float, mismatch: float) -> list[float]:
    """Space qualities by no more than ``q_step``."""
    return _ladder(low, high, q_step(mismatch))


def f_ladder(q: float, low: float, high: float, mismatch: float) -> list[float]:
    """Space frequencies [Hz] of one quality by no more than ``f_step``."""
    return _ladder(low, high, float(f_step(q, mismatch)))


def _ladder(low: float, high: float, step: float) -> list[float]:
    """Cut a range into equal steps of the logarithm; return their middles."""
    length = np.log(high / low)
    steps = max(1, int(np.ceil(length / step)))
    return [float(low * np.exp(length / steps * (i + 0.5))) for i in range(steps)]


def _rate_for(frequency: float, q: float, sample_rate: int) -> int:
    """Return the lowest rate that carries a wavelet [Hz]."""
    rate = sample_rate
    while rate > LOWEST_RATE and frequency * (1 + CUT / q) <= PASSBAND * rate / 2:
        rate //= 2
    return rate


@dataclass(frozen=True, kw_only=True)
class Spacing:
    """How far neighbouring wavelets lie apart."""

    log_f: FloatArray
    """In ln f."""
    log_q: float
    """In ln q."""


class Bank:
    """The octaves of one sample rate."""

    def __init__(self, sample_rate: int, config: DetectConfig, band_low: float) -> None:
        """Lay out all wavelets of a configuration.

        Args:
            sample_rate: [Hz].
            config: Detection.
            band_low: Lower end of the whitened band [Hz].

        Raises:
            ValueError: The rate carries none of them.
        """
        top = top_frequency(sample_rate, config)
        if top <= config.low_frequency:
            raise ValueError(f"{sample_rate} Hz carry no wavelet from {config.low_frequency} Hz on")
        ladder = [
            (f, q)
            for q in q_ladder(config.low_q, config.high_q, config.mismatch)
            for f in f_ladder(q, config.low_frequency, top, config.mismatch)
        ]
        by_rate: dict[int, list[Wavelet]] = {}
        for row, (f, q) in enumerate(ladder):
            wavelet = Wavelet(frequency=f, q=q, row=row)
            by_rate.setdefault(_rate_for(f, q, sample_rate), []).append(wavelet)
        self.sample_rate = sample_rate
        self._mismatch = config.mismatch
        self.frequency, self.q = (np.array(column) for column in zip(*ladder, strict=True))
        # Equal steps fill the range: they are at most q_step.
        self._q_spacing = float(np.log(config.high_q / config.low_q) / len(np.unique(self.q)))
        self.octaves = [
            Octave(rate, by_rate[rate], band_low) for rate in sorted(by_rate, reverse=True)
        ]

    def rows_of(self, frequency: RealArray, q: RealArray) -> npt.NDArray[np.int64]:
        """Return the places of some of the bank's wavelets."""
        same = (self.frequency == frequency[:, None]) & (self.q == q[:, None])
        return np.asarray(same.argmax(axis=1))

    def octave_of(self, frequency: float, q: float) -> Octave:
        """Return the octave that holds one of the bank's wavelets."""
        rate = _rate_for(frequency, q, self.sample_rate)
        return next(octave for octave in self.octaves if octave.rate == rate)

    def spacing(self, q: npt.ArrayLike) -> Spacing:
        """Return how far neighbours lie apart at a quality."""
        return Spacing(log_f=f_step(q, self._mismatch), log_q=self._q_spacing)

    @property
    def margin_seconds(self) -> int:
        """Return how much whitened strain a search needs around a hop: whole seconds."""
        reach = max(max(octave.lead, octave.trail) / octave.rate for octave in self.octaves)
        halvings = len(HALF_BAND) / min(octave.rate for octave in self.octaves)
        return int(np.ceil(reach + halvings)) + PAST_SECONDS

    @property
    def future_seconds(self) -> float:
        """Return how much whitened strain after a hop its candidates depend on [s]."""
        half = len(HALF_BAND) // 2
        return max(
            octave.trail / octave.rate + half * sum(1 / r for r in self.rates() if r > octave.rate)
            for octave in self.octaves
        )

    def rates(self) -> list[int]:
        """List the sample rates from the highest to the lowest octave [Hz]."""
        lowest = min(octave.rate for octave in self.octaves)
        steps = (self.sample_rate // lowest).bit_length()
        return [self.sample_rate >> i for i in range(steps)]


@lru_cache(maxsize=8)
def bank_for(sample_rate: int, config: DetectConfig, band_low: float) -> Bank:
    """Return the bank of a rate, made once in a process."""
    return Bank(sample_rate, config, band_low)
