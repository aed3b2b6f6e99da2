"""Waveforms drawn from fits to labelled glitches, in fresh noise of measured spectra.

The table is of the public repository andrew-lundgren/antiglitch: each row is a fit to a glitch
with a Gravity Spy label. Its model is of the strain: ``f0`` is where the strain's spectrum
peaks, and the table's ``peak_frequency`` where the spectrum peaks after whitening.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.real.judged import Judge
from benchmarks.real.scores import Answer
from models.simulation import noise
from models.simulation.background import FIRST_GPS, Background
from models.simulation.injections import Drawn, inject
from models.simulation.matching import Stretch, find, match
from models.simulation.noise import NoiseCurve
from transforms.arrays import RealArray
from transforms.classify import gravity_spy
from transforms.gps import NANOSECONDS

COLUMNS = ("f0", "gbw", "phase", "snr", "ifo", "ml_label")
LABELS = {
    name: gravity_spy.LABELS[name] for name in ("Blip", "Blip_Low_Frequency", "Koi_Fish", "Tomte")
}
"""The model's labels, by those of the table."""
FINNED = "koi_fish"
"""What a fit is only a part of: its fins are missing."""
LEAST_SNR, MOST_SNR = 8.0, 300.0
"""Fits between them are drawn."""
RATE = 4096
"""[Hz]."""
LENGTH = 2
"""Of a waveform, which lies in its middle [s]."""
FITTED = 10.0
"""The fits saw nothing below [Hz]: the strain falls to nothing at half of it."""
GAP = (8.0, 12.0)
"""From one waveform's middle to the next one's [s]: far enough not to raise the noise's level."""
EDGE = 16.0
"""Kept free at either end of a stretch [s]."""
TOGETHER = 24
"""Waveforms in a stretch."""


class FitsError(ValueError):
    """A table that cannot be used; one line says why."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A row of the table."""

    label: str
    """In the model's words."""
    ifo: str
    f0: float
    """Where the strain's amplitude spectrum peaks [Hz]."""
    gbw: float
    """Inverse square of that spectrum's width, in the logarithm of frequency."""
    phase: float
    """[rad]."""
    snr: float


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What became of a waveform."""

    fit: Fit
    answer: Answer | None
    """None where it was not detected."""
    time_error: float
    """Of the loudest trigger [s]; NaN where there is none."""


def read(path: Path) -> list[Fit]:
    """Read a table; labels that are not among ``LABELS`` and unknown detectors are left out.

    Raises:
        FitsError: It cannot be read, or a column or a number is missing or impossible.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [
            _fit(row) for row in rows if row["ml_label"] in LABELS and row["ifo"] in noise.MEASURED
        ]
    except OSError as error:
        raise FitsError(f"{path} cannot be read ({error.strerror})") from error
    except (KeyError, ValueError, csv.Error) as error:
        raise FitsError(f"{path}: not a table with {', '.join(COLUMNS)} ({error})") from error


def _fit(row: dict[str, str]) -> Fit:
    numbers = {name: float(row[name] or "") for name in ("f0", "gbw", "phase", "snr")}
    if not np.isfinite(list(numbers.values())).all() or min(numbers["f0"], numbers["gbw"]) <= 0:
        raise ValueError(f"impossible: {numbers}")
    return Fit(label=LABELS[row["ml_label"]], ifo=row["ifo"], **numbers)


def drawn(fits: Sequence[Fit], count: int, rng: np.random.Generator) -> list[Fit]:
    """Draw fits without repetition, as many of each label as there are, of those loud enough."""
    chosen = []
    for label in LABELS.values():
        own = [f for f in fits if f.label == label and LEAST_SNR <= f.snr <= MOST_SNR]
        order = rng.permutation(len(own))[: count // len(LABELS)]
        chosen += [own[number] for number in order]
    return chosen


def waveform(fit: Fit, sample_rate: int) -> RealArray:
    """Return the strain of a fit, of no particular loudness: ``LENGTH`` s, middle at time zero.

    The amplitude spectrum is exp(-gbw / 2 ln^2(f / f0)), of one phase at all frequencies:
    Bondarescu, Lundgren & Macas 2023, arXiv:2309.06594. This is written apart from
    `models.simulation.waveforms.fitted.fit`, which training draws with: an error there shows here.
    """
    count = LENGTH * sample_rate
    frequency = np.fft.rfftfreq(count, 1 / sample_rate)
    amplitude = np.zeros(len(frequency))
    amplitude[1:] = np.exp(-fit.gbw / 2 * np.log(frequency[1:] / fit.f0) ** 2)
    rise = np.sin(np.pi / 2 * np.clip(2 * frequency / FITTED - 1, 0, 1)) ** 2
    series = np.fft.irfft(amplitude * rise * np.exp(1j * fit.phase), count)
    return np.asarray(np.roll(series, count // 2))


def shown(judge: Judge, fits: Sequence[Fit], seed: int) -> Iterator[Shown]:
    """Put waveforms into fresh noise, search it, and yield what became of each."""
    by_ifo: dict[str, list[Fit]] = defaultdict(list)
    for fit in fits:
        by_ifo[fit.ifo].append(fit)
    for detector, (ifo, own) in enumerate(sorted(by_ifo.items())):
        order = np.random.default_rng((seed, detector)).permutation(len(own))
        for first in range(0, len(own), TOGETHER):
            part = [own[number] for number in order[first : first + TOGETHER]]
            rng = np.random.default_rng((seed, detector, first))
            yield from _stretch(judge, part, noise.load(noise.MEASURED[ifo]), rng)


def _stretch(
    judge: Judge, fits: Sequence[Fit], curve: NoiseCurve, rng: np.random.Generator
) -> Iterator[Shown]:
    middles = EDGE + np.cumsum(rng.uniform(*GAP, len(fits)))
    count = int(middles[-1] + EDGE) * RATE
    strain = np.asarray(noise.coloured(curve, count, RATE, rng, spare=0), np.float64)
    quiet = Background(
        name=curve.name,
        curve=curve,
        sample_rate=RATE,
        start_ns=FIRST_GPS * NANOSECONDS,
        strain=strain.copy(),
    )
    made = []
    for number, (fit, middle) in enumerate(zip(fits, middles, strict=True)):
        at = float(middle) - LENGTH / 2
        drawn = Drawn(fit.label, fit.snr, waveform(fit, RATE), whitened=False)
        signal, injection = inject(drawn, quiet, at, judge.whitening, str(number))
        first = round(at * RATE)
        strain[first : first + len(signal)] += signal
        made.append(injection)
    block = quiet.block(strain)
    truth = Stretch(block=block, curve=curve.name, key="", injections=tuple(made))
    matched = match(find(block, judge.whitening, judge.detection), truth)
    best = {each.key: each.trigger for each in matched if each.injected_snr and each.loudest}
    for injection, fit in zip(made, fits, strict=True):
        trigger = best.get(injection.key)
        if trigger is None:
            yield Shown(fit=fit, answer=None, time_error=np.nan)
            continue
        middle_ns = (injection.start_ns + injection.end_ns) // 2
        yield Shown(
            fit=fit,
            answer=judge.answer(trigger, name=fit.ifo, truth=fit.label, detected=True),
            time_error=(trigger.time_ns - middle_ns) / NANOSECONDS,
        )
