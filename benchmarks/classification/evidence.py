"""How well a family of transients explains whitened data: its evidence, by Bayes' theorem.

Data are white noise of unit variance with one transient: rho h(t - t0), h of unit norm. The
likelihood ratio to noise alone, exp(rho <d,h> - rho^2 <h,h> / 2), is averaged over all that is
not known: rho uniform in its logarithm; the phase, or the sign where a family has no phase, in
closed form; t0 evenly over all starts of which the trigger could be made; the family's other
parameters as the simulation draws them, with draws where they count (adaptive importance
sampling with the balance heuristic: Cornuet et al. 2012, arXiv:0907.1254).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.special import i0e, logsumexp
from scipy.stats import qmc

from models.simulation import injections, noise, waveforms
from transforms.arrays import RealArray

SOURCE_RATE, RATE = injections.SOURCE_RATE, 2048
"""At which shapes are drawn and compared [Hz]."""
LEAST_PART = 1e-3
"""A shape of which less energy lies in the data counts as if it were so much."""
PARTS = 64
"""Rows of the table: energies in the data."""
LARGEST, STEP = 30.0, 0.05
"""Columns of the table: matched SNR from zero, in steps."""
CORE = (0.05, 0.95)
"""A trigger lies where a shape has this part of its energy."""
BAND = 0.999
"""Part of a shape's energy below the highest frequency that is compared."""
FINE = 8
"""Starts are so many times finer than the band asks: a likelihood is sharper than its exponent."""
SPREAD = 24
"""Draws that count in what a round draws from, at the least."""
CENTRES = 200
"""Of the Gaussian kernels that a round draws from, at most."""


def parameters(label: str) -> tuple[str, ...]:
    """Name what draws of a family differ in, beside the phase."""
    return tuple(name for name in waveforms.FAMILIES[label].ranges if name != "phase")


def told(label: str, point: RealArray) -> dict[str, float]:
    """Return a family's parameters at a point; the phase is zero."""
    ranges = waveforms.FAMILIES[label].ranges
    shares = zip(parameters(label), point, strict=True)
    values = {name: ranges[name].at(float(share)) for name, share in shares}
    return values if "phase" not in ranges else {**values, "phase": 0.0}


def template(
    label: str, point: RealArray, curve: noise.NoiseCurve, low_frequency: float
) -> RealArray | None:
    """Return a whitened shape of unit norm, [time]; None where the rate does not carry it.

    The simulation draws again then: at this rate one whistle in ten, and nothing else of the
    simple families.

    Args:
        label: Its family.
        point: Each parameter as the number from 0 to 1 that a draw of it begins with, [parameter].
        curve: The noise.
        low_frequency: Of whitening [Hz].
    """
    family = waveforms.FAMILIES[label]
    margin = injections.WIDE_MARGIN if family.whitened else injections.MARGIN
    drawn = waveforms.sample(label, SOURCE_RATE, told(label, point)).samples
    drawn = np.pad(drawn, int(margin * SOURCE_RATE))
    shape = injections.at_rate(drawn, RATE)
    if shape is None:
        return None
    if family.whitened:
        shape = noise.strain_of(shape, RATE, curve, low_frequency)
    seen = noise.whitened(shape, RATE, curve, low_frequency)
    return np.asarray(seen / np.linalg.norm(seen))


@lru_cache
def _table(free: bool, snr: tuple[float, float]) -> npt.NDArray[np.float32]:
    """Return the logarithm of the likelihood ratio, averaged over SNR and phase, or sign.

    [energy in the data, matched SNR].
    """
    matched = np.arange(0, LARGEST + STEP, STEP)
    rho = np.geomspace(snr[0], snr[1], 401)
    rho = np.sqrt(rho[1:] * rho[:-1])
    rows = []
    for part in np.geomspace(LEAST_PART, 1, PARTS):
        expected = rho * np.sqrt(part)
        over = expected * matched[:, None]
        mean = np.log(i0e(over)) if free else np.log1p(np.exp(-2 * over)) - np.log(2)
        rows.append(logsumexp(mean + over - expected**2 / 2, axis=1) - np.log(len(rho)))
    return np.asarray(rows, np.float32)


class Listener:
    """Compares one family with the data of triggers that have one spectrum."""

    def __init__(
        self,
        label: str,
        *,
        curve: noise.NoiseCurve,
        low_frequency: float,
        snr: tuple[float, float],
    ) -> None:
        """Take what is known.

        Args:
            label: The family.
            curve: The noise.
            low_frequency: Of whitening [Hz].
            snr: Range of the optimal SNR.
        """
        self.label, self._curve, self._low_frequency = label, curve, low_frequency
        self._free = "phase" in waveforms.FAMILIES[label].ranges
        self._table = _table(self._free, snr)
        drawn = [self.template(point) for point in points(label, 64, seed=0)]
        shapes = [shape for shape in drawn if shape is not None]
        # What is not carried is never drawn: the rest is so much denser.
        self._carried = len(shapes) / len(drawn)
        self._longest = int(1.1 * max(map(len, shapes)))
        self._highest = RATE / 2
        if self._free:
            self._highest = max(map(_highest, shapes))

    def template(self, point: RealArray) -> RealArray | None:
        """Return the family's shape in this noise."""
        return template(self.label, point, self._curve, self._low_frequency)

    def hear(self, data: RealArray, extents: RealArray) -> None:
        """Take data, [trigger, time], and where in it triggers lie, [trigger, 2] [samples]."""
        self._length = data.shape[1]
        self._cycle = 2 * fft.next_fast_len((self._length + self._longest + 1) // 2)
        bins = int(self._highest * self._cycle / RATE) + 1
        self._count = self._cycle
        if self._free:
            self._count = min(self._cycle, fft.next_fast_len(FINE * bins))
        spectra = fft.rfft(data, self._cycle, axis=1)[:, :bins]
        self._spectra = (spectra * (2 * self._count / self._cycle)).astype(np.complex64)
        start = np.arange(self._count) * self._cycle / self._count
        self._start = np.where(start < self._length, start, start - self._cycle)
        self._extents = extents

    def __call__(self, point: RealArray, rows: slice = slice(None)) -> RealArray:
        """Return the logarithm of the likelihood ratio times its time [s], summed over starts.

        Args:
            point: See `template`.
            rows: Of which triggers.

        Returns:
            [trigger].
        """
        shape, extents = self.template(point), self._extents[rows]
        if shape is None:
            return np.full(len(extents), -np.inf)
        energy = np.concatenate([[0.0], np.cumsum(shape**2)])
        first, last = np.searchsorted(energy, CORE)
        low, high = extents[:, 0] - last, extents[:, 1] - first
        taken = np.flatnonzero((self._start > low.min()) & (self._start < high.max()))
        start = self._start[taken]
        spectrum = fft.rfft(shape, self._cycle)[: self._spectra.shape[1]].astype(np.complex64)
        found = fft.ifft(self._spectra[rows] * spectrum.conj(), self._count, axis=1)[:, taken]
        ends = np.clip(np.stack([self._length - start, -start]).astype(int), 0, len(shape))
        part = np.maximum(energy[ends[0]] - energy[ends[1]], LEAST_PART).astype(np.float32)
        here = (start > low[:, None]) & (start < high[:, None])
        kept = np.abs(found if self._free else found.real)[here]
        logs = self._averaged(kept, np.broadcast_to(part, here.shape)[here])
        sizes = here.sum(axis=1)
        begins = np.cumsum(sizes) - sizes
        peak = np.maximum.reduceat(logs, begins)
        summed = np.add.reduceat(np.exp(logs - np.repeat(peak, sizes)), begins)
        return np.asarray(peak + np.log(summed * self._cycle / self._count / RATE / self._carried))

    def of(self, row: int) -> Callable[[RealArray], float]:
        """Return what compares with one trigger's data alone."""
        return lambda point: float(self(point, slice(row, row + 1))[0])

    def _averaged(self, correlation: RealArray, part: RealArray) -> RealArray:
        """Look the likelihood up, of correlations and of the energies in the data."""
        column = np.minimum(correlation / (np.sqrt(part) * STEP), LARGEST / STEP - 1)
        whole = column.astype(np.int32)
        rows = np.rint((1 - np.log(part) / np.log(LEAST_PART)) * (PARTS - 1)).astype(np.int32)
        whole_table, at = self._table.ravel(), whole + rows * self._table.shape[1]
        lower = whole_table[at]
        return np.asarray(lower + (column - whole) * (whole_table[at + 1] - lower))


def _highest(shape: RealArray) -> float:
    """Return the frequency below which a shape has its energy [Hz]."""
    energy = np.cumsum(np.abs(fft.rfft(shape)) ** 2)
    return float(np.searchsorted(energy, BAND * energy[-1]) * RATE / len(shape))


def points(label: str, count: int, seed: int) -> RealArray:
    """Return draws, [draw, parameter], each beginning of which is spread evenly; a power of two."""
    return np.asarray(qmc.Sobol(len(parameters(label)), rng=seed).random(count))


@dataclass(frozen=True)
class Kernels:
    """What a round draws from: Gaussian kernels of one covariance."""

    centres: RealArray
    """[kernel, parameter]."""
    weights: RealArray
    """[kernel], of sum 1."""
    root: RealArray
    """Cholesky root of the covariance."""

    @classmethod
    def around(cls, drawn: RealArray, logs: RealArray) -> "Kernels":
        """Make them of weighted draws; weights are levelled until enough draws count."""
        weights = np.exp(logs - logs.max())
        effective = weights.sum() ** 2 / np.sum(weights**2)
        power = 1.0
        while effective < min(SPREAD, len(drawn) / 2):
            power *= 0.8
            weights = np.exp(power * (logs - logs.max()))
            effective = weights.sum() ** 2 / np.sum(weights**2)
        best = np.argsort(-weights)[:CENTRES]
        centres, weights = drawn[best], weights[best] / weights[best].sum()
        off = centres - weights @ centres
        width = effective ** (-1 / (drawn.shape[1] + 4))
        covariance = width**2 * (off * weights[:, None]).T @ off + 1e-10 * np.eye(drawn.shape[1])
        return cls(centres, weights, np.linalg.cholesky(covariance))

    def draw(self, count: int, rng: np.random.Generator) -> RealArray:
        """Draw points, [draw, parameter]; some may lie where there are none."""
        chosen = rng.choice(len(self.centres), count, p=self.weights)
        steps = rng.standard_normal((count, self.centres.shape[1]))
        return np.asarray(self.centres[chosen] + steps @ self.root.T)

    def density(self, drawn: RealArray) -> RealArray:
        """Return the density at points, [draw]."""
        inverse = np.linalg.inv(self.root)
        near, here = self.centres @ inverse.T, drawn @ inverse.T
        square = np.sum((here[:, None] - near) ** 2, axis=2)
        norm = np.prod(np.diag(inverse)) / (2 * np.pi) ** (drawn.shape[1] / 2)
        return np.asarray(norm * np.exp(-square / 2) @ self.weights)


def refined(
    heard: Callable[[RealArray], float],
    drawn: RealArray,
    logs: RealArray,
    rng: np.random.Generator,
    *,
    rounds: int,
    draws: int,
) -> list[float]:
    """Draw where it counts; return the logarithm of the mean likelihood after each round.

    Args:
        heard: Gives the logarithm of the likelihood at a point.
        drawn: Points drawn evenly, [draw, parameter].
        logs: Their likelihoods' logarithms, [draw].
        rng: Source of randomness.
        rounds: How many.
        draws: In each round.
    """
    even, used, means = len(drawn), list[Kernels](), list[float]()
    density = np.full(even, float(even))
    for _ in range(rounds):
        kernels = Kernels.around(drawn, logs - np.log(density))
        new = kernels.draw(draws, rng)
        new = new[np.all((new >= 0) & (new < 1), axis=1)]
        known = sum((draws * former.density(new) for former in used), np.full(len(new), even))
        used.append(kernels)
        drawn = np.concatenate([drawn, new])
        logs = np.concatenate([logs, [heard(point) for point in new]])
        density = np.concatenate([density, known]) + draws * kernels.density(drawn)
        means.append(float(logsumexp(logs - np.log(density))))
    return means
