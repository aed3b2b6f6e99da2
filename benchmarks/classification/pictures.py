"""Simulated transients beside Gravity Spy's pictures: ``... classification.pictures QSCANS OUT``.

QSCANS is a folder of Gravity Spy's own omega scans, one example of a class at 0.5, 1 and 4 s each,
named ``<Gravity Spy's name>_<...>_<seconds>s.png``. Of each class a sheet is drawn: in its first
row these pictures, below it simulated examples at the same scales, in Gaussian noise of a
measured spectrum, whitened with it. Scales are Gravity Spy's: 10 to 2048 Hz, normalised energy 0
to 25.5 (Zevin et al. 2017, arXiv:1611.04596); the Q of each is that of its loudest tile, 4 to 64.
The transform is gwpy's, with the unit of theirs, and not that of the report. An eye judges whether
one would give them one name.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from benchmarks import report
from models.simulation import injections, noise, waveforms
from models.simulation.background import Background
from transforms.arrays import RealArray
from transforms.classify import gravity_spy
from transforms.whiten.config import WhitenConfig

RATE, SECONDS = injections.SOURCE_RATE, 48
WHITENING = WhitenConfig(low_frequency=10.0)
"""Gravity Spy's pictures begin at 10 Hz."""
SPANS = (0.5, 1.0, 4.0)
"""Of the pictures [s]."""
SNR = waveforms.Range(8.0, 40.0, "log")
"""Of families that have no SNR of their own."""
CURVES = noise.MEASURED["H1"], noise.MEASURED["L1"]
"""Taken in turn."""


@dataclass(frozen=True)
class Plane:
    """Normalised energy about a transient."""

    times: RealArray
    """From its loudest sample [s], [time]."""
    frequencies: RealArray
    """[Hz], [frequency]."""
    energy: RealArray
    """[frequency, time]."""
    title: str


def simulated(label: str, curve: str, rng: np.random.Generator) -> Plane:
    """Put one transient into noise and return what is seen of it.

    Args:
        label: Its family.
        curve: Of the noise.
        rng: Source of randomness.
    """
    known = noise.load(curve)
    strain = np.asarray(noise.coloured(known, SECONDS * RATE, RATE, rng), np.float64)
    quiet = Background(name=curve, curve=known, sample_rate=RATE, start_ns=0, strain=strain)
    drawn = None
    while drawn is None:
        drawn = injections.draw(label, RATE, SNR, rng, 2.0)
    signal, made = injections.inject(drawn, quiet, 0.0, WHITENING, label)
    first = SECONDS * RATE // 2 - int(np.argmax(np.abs(made.whitened)))
    strain[first : first + len(signal)] += signal
    white = noise.whitened(strain, RATE, known, WHITENING.low_frequency)
    return plane(white, SECONDS / 2, f"{curve[:2]}, SNR {drawn.snr:.0f}")


def plane(white: RealArray, at: float, title: str) -> Plane:
    """Return the Q transform of whitened data about a time.

    Args:
        white: [time], at ``RATE``.
        at: The time [s from its start].
        title: Of the picture.
    """
    from gwpy.timeseries import TimeSeries

    # gwpy's tiling ends below the Nyquist frequency by 1 + sqrt(11) / q.
    middle, reach = round(at * RATE), 4 * RATE
    fine = resample_poly(white[middle - reach : middle + reach], 2, 1)
    series = TimeSeries(fine, t0=-reach / RATE, sample_rate=2 * RATE)
    half = SPANS[-1] / 2
    found = series.q_transform(
        qrange=(4, 64),
        frange=(WHITENING.low_frequency, RATE / 2),
        outseg=(-half, half),
        whiten=False,
        tres=0.002,
        fres=300,
        logf=True,
    )
    return Plane(
        found.times.value, found.frequencies.value, found.value.T, f"{title}, Q {found.q:.0f}"
    )


def sheet(label: str, scans: Path, planes: Sequence[Plane], path: Path) -> None:
    """Draw one class's sheet.

    Args:
        label: The class.
        scans: Folder of Gravity Spy's pictures.
        planes: The simulated ones.
        path: Where the sheet goes.
    """
    from matplotlib.figure import Figure
    from matplotlib.image import imread

    rows, columns = 1 + len(planes), len(SPANS)
    figure = Figure(figsize=(3.4 * columns, 2.6 * rows), dpi=70, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    name = gravity_spy.name_of(label) or label
    for axes, span in zip(grid[0], SPANS, strict=True):
        for picture in sorted(scans.glob(f"{name}_[A-Z]*_{span}s.png"))[:1]:
            axes.imshow(imread(picture), aspect="auto")
        axes.set_title(f"{name}, {span:g} s", fontsize=8)
        axes.set_axis_off()
    for row, each in zip(grid[1:], planes, strict=True):
        for axes, span in zip(row, SPANS, strict=True):
            axes.pcolormesh(each.times, each.frequencies, each.energy, vmin=0, vmax=25.5)
            axes.set_yscale("log")
            axes.set_xlim(-span / 2, span / 2)
            axes.set_ylim(WHITENING.low_frequency, RATE / 2)
            axes.tick_params(labelsize=6)
        row[0].set_title(each.title, fontsize=8)
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw a sheet of each class."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.scans.is_dir():
        parser.error(f"{options.scans} is no folder: give the one with Gravity Spy's pictures")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"{options.out}: {error.strerror}; choose another OUT")
    for label in options.labels or waveforms.FAMILIES:
        rng = np.random.default_rng((options.seed, list(waveforms.FAMILIES).index(label)))
        planes = [
            simulated(label, CURVES[number % len(CURVES)], rng) for number in range(options.each)
        ]
        sheet(label, options.scans, planes, options.out / f"{label}.png")
        print(options.out / f"{label}.png")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.classification.pictures", description=__doc__
    )
    parser.add_argument("scans", type=Path, metavar="QSCANS")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--labels", nargs="+", choices=waveforms.FAMILIES, metavar="LABEL")
    parser.add_argument(
        "--each", type=report.count, default=4, metavar="N", help="examples of a class"
    )
    parser.add_argument("--seed", type=int, default=1)
    return parser


if __name__ == "__main__":
    sys.exit(main())
