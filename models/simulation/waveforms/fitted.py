"""Blips, low-frequency blips, tomtes and koi fish: drawn from fits to real ones.

Each has the strain spectrum A exp(-gbw / 2 ln^2(f / f0)) exp(i phase), Bondarescu, Lundgren &
Macas 2023, arXiv:2309.06594: a Gaussian in ln f, of width gbw^(-1/2), with one phase for all
frequencies. The joint distribution of ln f0, ln gbw, ln SNR and phase is that of fits to glitches
of H1, L1 and V1 that Gravity Spy's machine gave these labels, by label and detector: mixtures of
Gaussians in ``models/simulation/fitted.yaml``, which :mod:`models.simulation.fits` derives.

That the spectrum is one of strain, and not of whitened strain, the fits say themselves: the
frequency at which the fitted glitch peaks after whitening is that of the spectrum over the
measured ASD, within 11 % in H1, 8 % in L1 and 9 % in V1 (medians), where it is read off a grid of
8 Hz. It is 1.9 to 4 times f0. So a blip whose f0 is 14 Hz and whose gbw is 0.4 is a blip of
80 Hz.

How a glitch looks is what makes its label. So a shape is whitened with the ASD of the detector
whose glitch it is, and is coloured with that of the noise into which it goes: it looks the same
in all.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import yaml

from models.simulation import noise
from models.simulation.waveforms.draws import PHASE, SEED, Family, Range
from models.simulation.waveforms.pieces import bell, scaled
from transforms.arrays import FloatArray

TABLE = Path(__file__).parents[1] / "fitted.yaml"
DETECTORS = tuple(noise.MEASURED)
"""Whose glitches were fitted, in the run of the measured curves."""
LOWEST, HIGHEST = 8.0, 1900.0
"""The spectrum rises from the first to twice it and falls over a sixth below the last [Hz]."""
REACH = 0.4
"""A shape lasts so long before and after its reference [s]."""
F0 = Range(10.0, 600.0, "log")
GBW = Range(0.25, 8.0, "log")
"""Bounds of the fits' priors, at which some lie."""
QUIET = Range(5.0, 20.0, "inverse")
"""SNR of those that are quieter than most fits."""


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians of ln f0, ln gbw, ln SNR and phase [rad]."""

    fits: int
    """From so many fits."""
    snr: tuple[float, float]
    """Range of the SNR that holds 96 % of them."""
    weights: FloatArray
    """[part]."""
    means: FloatArray
    """[part, 4]."""
    covariances: FloatArray
    """[part, 4, 4]."""

    def likelihood(self, snr: float) -> FloatArray:
        """Return each part's share of the probability density of ln SNR, [part].

        Args:
            snr: Beyond the fits' range, that of its nearer end counts.
        """
        known, spread = np.log(np.clip(snr, *self.snr)), self.covariances[:, 2, 2]
        away = (known - self.means[:, 2]) ** 2 / spread
        return np.asarray(self.weights * np.exp(-0.5 * away) / np.sqrt(2 * np.pi * spread))

    def loudness(self, rng: np.random.Generator) -> float:
        """Draw an SNR, within the fits' range."""
        part = int(rng.choice(len(self.weights), p=self.weights))
        drawn = rng.normal(self.means[part, 2], np.sqrt(self.covariances[part, 2, 2]))
        return float(np.clip(np.exp(drawn), *self.snr))

    def draw(self, rng: np.random.Generator, snr: float | None) -> tuple[float, float, float]:
        """Draw f0 [Hz], gbw and phase [rad].

        Args:
            rng: Source of randomness.
            snr: Draw what a glitch so loud has, or one of the nearest loudness that the fits
                know; without it, whatever a fit has.
        """
        weights, known = self.weights, None
        if snr is not None:
            known = float(np.log(np.clip(snr, *self.snr)))
            weights = self.likelihood(snr)
            weights /= weights.sum()
        part = int(rng.choice(len(weights), p=weights))
        mean, covariance = self.means[part], self.covariances[part]
        point = rng.multivariate_normal(mean, covariance)
        if known is not None:
            # A Gaussian's draw, given one coordinate: the others move along the regression.
            point += covariance[:, 2] / covariance[2, 2] * (known - point[2])
        f0, gbw = np.exp(point[:2])
        return (
            float(np.clip(f0, F0.low, F0.high)),
            float(np.clip(gbw, GBW.low, GBW.high)),
            float(point[3] % (2 * np.pi)),
        )


@lru_cache
def mixtures(label: str) -> dict[int, Mixture]:
    """Return a family's mixtures, by the number of the detector."""
    found = yaml.safe_load(TABLE.read_text())[label]
    return {
        DETECTORS.index(ifo): Mixture(
            fits=one["fits"],
            snr=tuple(one["snr"]),
            weights=np.array(one["weights"]) / np.sum(one["weights"]),
            means=np.array(one["means"]),
            covariances=np.array(one["covariances"]),
        )
        for ifo, one in found.items()
    }


def fit(time: FloatArray, f0: float, gbw: float, phase: float, detector: float = 0.0) -> FloatArray:
    """Return a fitted glitch as whitening shows it, with its reference at zero time; peak 1.

    Args:
        time: Uniform grid that holds zero [s], [time].
        f0: Where the strain's spectrum is largest [Hz].
        gbw: Its inverse variance in ln f.
        phase: Of all frequencies [rad].
        detector: Index into ``DETECTORS``.
    """
    step = float(time[1] - time[0])
    rate = round(1 / step)
    count = 1 << (2 * max(len(time), rate) - 1).bit_length()
    frequency = np.fft.rfftfreq(count, step)
    used = slice(np.searchsorted(frequency, LOWEST), np.searchsorted(frequency, HIGHEST))
    here = frequency[used]
    ends = np.clip((here - LOWEST) / LOWEST, 0, 1), np.clip((HIGHEST - here) / (HIGHEST / 6), 0, 1)
    fade = np.sin(np.pi / 2 * ends[0]) ** 2 * np.sin(np.pi / 2 * ends[1]) ** 2
    asd = noise.load(noise.MEASURED[DETECTORS[int(detector)]]).smooth.on_grid(count, rate)[used]
    spectrum = np.zeros(len(frequency), complex)
    spectrum[used] = fade * np.exp(-0.5 * gbw * np.log(here / f0) ** 2 + 1j * phase) / asd
    # Zero time is sample 0 of the cyclic series.
    series = np.roll(np.fft.irfft(spectrum, count), -round(time[0] / step))
    return scaled(series[: len(time)])


def koi_fish(
    time: FloatArray, *, fin: float, spread: float, strength: float, seed: float, **body: float
) -> FloatArray:
    """Return a fitted body with two fins.

    Args:
        time: Uniform grid that holds zero [s], [time].
        fin: Frequency of the fins [Hz].
        spread: From the body to the middle of a fin [s].
        strength: Part of the energy that the two fins have.
        seed: Settles their phases, and how they differ.
        body: The parameters of `fit`.
    """
    rng = np.random.default_rng(int(seed))
    middle = fit(time, **body)
    fins = np.zeros(len(time))
    for side in (-1.0, 1.0):
        late = time - side * spread * rng.uniform(0.8, 1.2)
        wave = np.cos(2 * np.pi * fin * rng.uniform(0.9, 1.1) * late + rng.uniform(0, 2 * np.pi))
        fins += rng.uniform(0.6, 1.0) * bell(late, 0.35 * spread) * wave
    ratio = strength / (1 - strength) * np.sum(middle**2) / np.sum(fins**2)
    return scaled(middle + np.sqrt(ratio) * fins)


def drawn(label: str, rng: np.random.Generator, snr: float | None) -> dict[str, float]:
    """Draw the parameters of ``fit``, of any of the detectors alike.

    Args:
        label: The family.
        rng: Source of randomness.
        snr: How loud it will be, where that is known.
    """
    known = mixtures(label)
    shares = np.array([1.0 if snr is None else one.likelihood(snr).sum() for one in known.values()])
    detector = list(known)[int(rng.choice(len(known), p=shares / shares.sum()))]
    f0, gbw, phase = known[detector].draw(rng, snr)
    return {"f0": f0, "gbw": gbw, "phase": phase, "detector": float(detector)}


@dataclass(frozen=True)
class Loudness:
    """How the SNR of a fitted family is drawn.

    As the fits' is, of any of the detectors alike: Gravity Spy's labels depend on it, and where
    shapes are alike it decides. A part is drawn quieter than what Gravity Spy looks at.
    """

    label: str
    quiet: float
    """Share of the quiet ones."""

    def draw(self, rng: np.random.Generator) -> float:
        """Draw one SNR."""
        if rng.random() < self.quiet:
            return QUIET.draw(rng)
        known = list(mixtures(self.label).values())
        return known[int(rng.integers(len(known)))].loudness(rng)


RANGES = {"f0": F0, "gbw": GBW, "phase": PHASE, "detector": Range(0, 2, "integer")}
_SOURCE = (
    "fits to real ones, after Bondarescu, Lundgren & Macas 2023, arXiv:2309.06594: mixtures in "
    "models/simulation/fitted.yaml, by detector, with the SNR; the ranges are the bounds of the "
    "fits' priors"
)


def _family(label: str) -> Family:
    return Family(
        fit,
        lambda **_: (REACH, REACH),
        RANGES,
        _SOURCE,
        snr=Loudness(label, 0.3),
        whitened=True,
        joint=lambda rng, snr: drawn(label, rng, snr),
    )


_FINS = {
    "fin": Range(30.0, 65.0, "log"),
    "spread": Range(0.06, 0.14),
    "strength": Range(0.001, 0.04, "log"),
    "seed": SEED,
}
FAMILIES: dict[str, Family] = {
    **{label: _family(label) for label in ("blip", "low_frequency_blip", "tomte")},
    "koi_fish": Family(
        koi_fish,
        lambda **_: (REACH, REACH),
        {**RANGES, **_FINS},
        f"{_SOURCE}; fins: chosen after the picture of Zevin et al. 2017, arXiv:1611.04596, in "
        "which they are at 35 to 45 Hz, 0.1 s to either side",
        snr=Loudness("koi_fish", 0.0),
        whitened=True,
        joint=lambda rng, snr: {
            **drawn("koi_fish", rng, snr),
            **{name: span.draw(rng) for name, span in _FINS.items()},
        },
    ),
}
"""The families, by label."""
