"""How rare a sum of energies is in noise, told as the SNR of a tile as rare."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincc, gammainccinv, gammaln

from transforms.arrays import FloatArray, IntArray, RealArray, SingleArray

REFERENCE_HZ = 100.0
"""Frequency at which a tile's rank is its SNR."""
RECTANGLE_TRIALS = 245.0
"""Rectangles of one row and one bin, in units of the tiles of ``REFERENCE_HZ``: weighed so that
rectangles bring a tenth of the false alarms (docs/detection.md)."""
TRACK_TRIALS = 2.7
"""Tracks, in the same units."""
FAR_OUT = 6.5
"""SNR above which the energy bounds the rank: no noise reaches it."""

WANDER = 0.1
"""Part by which the level of real noise wanders over half a second at high frequencies, as
measured in docs/detection.md."""
WANDER_FROM = 2000.0
"""Where it does so [Hz]: there a rectangle holds so much noise that nothing else blurs it."""


def tile_trials_penalty(frequency: RealArray | float) -> FloatArray:
    """Return what the squared rank of tiles lacks of their squared SNR.

    An octave holds as many tiles a second as its frequency is high; signals come from all
    octaves alike.
    """
    return np.asarray(2 * np.log(frequency / REFERENCE_HZ))


def tile_rank_over(
    rank: RealArray | float, frequency: RealArray | float, level: FloatArray | float
) -> FloatArray:
    """Return the rank of tiles where noise is louder than white.

    A tile's energy |y|^2 is the square of its SNR, which is rank^2 + trials penalty, and the 2 that
    white noise has on average. It is divided by the level.

    Args:
        rank: Of the tiles in white noise, [tile].
        frequency: Of the tiles [Hz], [tile].
        level: Energy of noise around, in units of white noise's, [tile].
    """
    less = 2 + tile_trials_penalty(frequency)
    return np.asarray(np.sqrt(np.maximum((np.square(rank) + less) / level - less, 0)))


def rectangle_trials_penalty(width: int, length: int) -> float:
    """Return the same of rectangles [rows, bins]: the larger they are, the fewer there are."""
    return float(2 * np.log(RECTANGLE_TRIALS / (width * length)))


def wander_of(highest: FloatArray) -> FloatArray:
    """Return the part by which noise wanders where rectangles end [Hz]."""
    return np.where(highest >= WANDER_FROM, WANDER, 0.0)


def track_trials_penalty() -> float:
    """Return the same of tracks."""
    return float(2 * np.log(TRACK_TRIALS))


@dataclass(frozen=True)
class Noise:
    """Gamma distributions of sums in noise, elementwise."""

    mean: FloatArray
    form: FloatArray
    scale: FloatArray
    gain: FloatArray
    """Most of the sum that a signal of unit energy can give: tiles overlap."""
    trials_penalty: FloatArray
    """What the squared rank lacks of the squared SNR."""

    @classmethod
    def learn(
        cls,
        sample: SingleArray,
        trials_penalty: float,
        gain: FloatArray | None = None,
        wander: FloatArray | float = 0.0,
    ) -> "Noise":
        """Fit by mean and variance over the last axis, in noise whose level wanders by a part."""
        mean, variance = sample.mean(axis=-1, dtype=float), sample.var(axis=-1, dtype=float)
        gain = np.asarray(variance / mean) if gain is None else gain
        variance = variance + (wander * mean) ** 2
        scale = np.asarray(variance / mean)
        less = np.full_like(scale, trials_penalty)
        return cls(np.asarray(mean), np.asarray(mean**2 / variance), scale, gain, less)

    @classmethod
    def stack(cls, noises: Sequence["Noise"]) -> "Noise":
        """Put distributions together along a new first axis: none, where there are none."""
        if not noises:
            return cls(*(np.zeros(0) for _ in fields(cls)))
        columns = zip(*(vars(noise).values() for noise in noises), strict=True)
        return cls(*(np.array(column) for column in columns))

    def limit(self, threshold: float) -> FloatArray:
        """Return the sums of a rank: a tile of an SNR is as rare as exp(-(snr^2 + 2) / 2)."""
        probability = np.exp(-(threshold**2 + 2 + self.trials_penalty) / 2)
        return np.asarray(gammainccinv(self.form, probability) * self.scale)

    def at(self, index: tuple[IntArray, ...]) -> "Noise":
        """Pick some of the distributions."""
        return Noise(*(np.asarray(column)[index] for column in vars(self).values()))

    def rank(self, snr: FloatArray) -> FloatArray:
        """Return the rank of sums of an SNR: what is left of it by the trials_penalty."""
        return np.asarray(np.sqrt(np.maximum(snr**2 - self.trials_penalty, 0)))

    def rank_over(self, value: npt.NDArray[np.floating], level: FloatArray) -> FloatArray:
        """Return the rank of sums where noise is louder than white by a level."""
        return self.rank(self.snr(value / level))

    def snr(self, value: npt.NDArray[np.floating]) -> FloatArray:
        """Return the SNR of a tile as rare as a sum, and no more than its energy allows.

        Far out, sums of overlapping tiles are more frequent than a gamma distribution says;
        there the excess of energy itself is the better estimate.
        """
        x, form = np.broadcast_arrays(value / self.scale, self.form)
        energy = np.maximum(2 * (value - self.mean) / self.gain, FAR_OUT**2)
        # Chernoff: a tail beyond x is no more than exp(form - x) (x / form)^form. Where that
        # alone is as rare as the energy allows, the tail itself need not be known.
        ratio = np.maximum(x / form, 1)
        rare = np.asarray(2 * form * (ratio - 1 - np.log(ratio)) - 2)
        near = rare < energy
        rare[near] = -2 * _log_tail(form[near], x[near]) - 2
        return np.asarray(np.sqrt(np.maximum(np.minimum(rare, energy), 0)))


def _log_tail(form: FloatArray, x: FloatArray) -> FloatArray:
    """Return the logarithm of the probability of more than x."""
    with np.errstate(divide="ignore"):
        tail = np.log(gammaincc(form, x))
    # Beyond what doubles hold: the leading terms of the incomplete gamma function.
    far = (form - 1) * np.log(np.maximum(x, 1e-30)) - x - gammaln(form)
    return np.asarray(np.where(np.isfinite(tail), tail, far))


def overlap_gain(noise: SingleArray, size: tuple[int, int]) -> FloatArray:
    """Return the most that a signal can gain from the overlap of the tiles of a rectangle.

    The largest eigenvalue of the tiles' correlations, taken apart into rows and bins.

    Args:
        noise: [row, bin], energies of white noise.
        size: Rows and bins of the rectangle.

    Returns:
        [row], for rectangles from each row up; sums of energy per unit of half the squared SNR.
    """
    width, length = size
    centred = noise - noise.mean(axis=1, keepdims=True)
    variance = np.mean(centred**2, axis=1, dtype=float)
    count = len(noise)
    row_pairs = np.zeros((count, width))
    for k in range(min(width, count)):
        product = np.mean(centred[: count - k] * centred[k:], axis=1, dtype=float)
        row_pairs[: count - k, k] = product / np.sqrt(variance[: count - k] * variance[k:])
    bin_pairs = np.array(
        [
            np.mean(centred[:, : centred.shape[1] - k] * centred[:, k:], axis=1, dtype=float)
            for k in range(length)
        ]
    ).T
    along = _largest(np.repeat((bin_pairs / variance[:, None])[:, None], length, axis=1))
    rows = np.minimum(np.arange(count)[:, None] + np.arange(width), count - 1)
    across = _largest(row_pairs[rows])
    return np.asarray(variance * across * along)


def _largest(pairs: FloatArray) -> FloatArray:
    """Return the largest eigenvalue of amplitude correlations.

    Args:
        pairs: [rectangle, i, k], correlation of energies of members i and i + k: its root is that
            of amplitudes.
    """
    n = pairs.shape[1]
    i, j = np.indices((n, n))
    energies = pairs[:, np.minimum(i, j), np.abs(i - j)]
    return np.asarray(np.linalg.eigvalsh(np.sqrt(np.maximum(energies, 0)))[:, -1])
