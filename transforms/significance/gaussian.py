"""How often stationary Gaussian noise alone makes a trigger of a rank or more.

In white noise the energy |y|^2 of a wavelet is chi-square with two degrees of freedom, and
over time, frequency and quality it is a smooth field: |y| is the maximum over the phase p of
the real Gaussian field Re(y exp(-i p)) of unit variance. The number of its peaks above a high
level is the expected Euler characteristic of what lies above (Adler & Taylor 2007, Random
Fields and Geometry, chapters 12 and 15; Worsley 1994, doi:10.2307/1427576; in searches for
signals: Davies 1987, doi:10.1093/biomet/74.1.33, Gross & Vitells 2010, arXiv:1005.1891),

    sum over j of L_j (2 pi)^(-(j + 1) / 2) H_(j-1)(v) exp(-v^2 / 2),    v^2 = |y|^2,

with Hermite polynomials H and the curvatures L_j of the wavelets and phases, in the metric in
which two wavelets lose ds^2 of a signal's energy. With t the time, a = ln f, b = ln q,

    ds^2 = 2 (pi f / q)^2 dt^2 + (da - db)^2 / 2 + (q da)^2 / 2

(a Morlet wavelet exp(-(t/tau)^2), tau = q / (sqrt(2) pi f); Chatterji 2005, PhD thesis, MIT,
section 5, has the same with Q = sqrt(2) q). A volume element is pi f / sqrt(2) dt da db. The
geometry is the same everywhere: in t, f and z = ln(q / f) / sqrt(2) it is 2 (pi f / q)^2 dt^2 +
(q / f)^2 df^2 / 2 + dz^2, of scalar curvature -4, and the phase that is gained around a loop in
time and frequency (2 pi times its area) takes off another 2 once phases are joined to it. With
L_4 = 2 pi V and L_2 = -6 / (4 pi) L_4 the peaks inside number

    V (2 pi)^(-3/2) (u^(3/2) - 6 u^(1/2)) exp(-u / 2),    u = |y|^2,

those on a face of area S (a limit of f or q; their mean curvature is nil), but for a part of order
1 / u, S / 2 (2 pi)^(-1) (u - 1) exp(-u / 2), and those on an edge of length D, where the angle is
near pi / 2, pi / 2 D (2 pi)^(-3/2) u^(1/2) exp(-u / 2).

A rank r is exceeded where u > r^2 + 2 + 2 ln(f / 100 Hz). The search sees peaks between its
wavelets with a loss, which follows from its own grids (``TileField.of``). There is nothing to
be fitted for tiles. What rectangles and tracks add follows an exponential law, ``Shapes``, whose
two numbers are measured (docs/benchmarks.md).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.arrays import FloatArray
from transforms.detect.bank import Bank
from transforms.detect.config import DetectConfig
from transforms.detect.octave import BINS, CLOSER
from transforms.detect.ranking import tile_trials_penalty
from transforms.detect.refine import around
from transforms.detect.searchable import top_frequency

POINTS = 1 << 13, 1 << 11
"""Places at which the volume and each face are summed up."""
STEPS = (0.7548776662466927, 0.5698402909980532)
"""Steps of a sequence that fills a square evenly: powers of the root of x^3 = x + 1."""
TYPICAL = 33.0
"""Energy at which the tile that a peak is seen in is told: it only weighs two frequencies."""
CHUNK = 1 << 11


@dataclass(frozen=True)
class Shapes:
    """What rectangles and tracks add to the tiles' triggers: ``rate exp(-slope (r^2 - 25) / 2)``.

    Were their sums gamma distributed, the slope would be near 1; sums of overlapping tiles
    exceed that far out.
    """

    rate: float
    """Triggers of rank 5 or more whose tiles have less [Hz]."""
    slope: float

    @classmethod
    def between(cls, low: tuple[float, float], high: tuple[float, float]) -> "Shapes":
        """Return the law through the rates [Hz] at two ranks.

        Args:
            low: Rank and rate.
            high: The same of a larger rank; its rate must be lower, and positive.

        Raises:
            ValueError: The rates do not fall.
        """
        (r, more), (s, less) = low, high
        if not (s > r and more > less > 0):
            raise ValueError("rates of shapes must fall with rank, and not to nothing")
        slope = 2 * np.log(more / less) / (s**2 - r**2)
        return cls(float(more * np.exp(slope * (r**2 - REFERENCE**2) / 2)), float(slope))

    def __call__(self, rank: npt.ArrayLike) -> FloatArray:
        """Return the rate of what shapes add at a rank or more [Hz]."""
        squared = np.asarray(rank, float) ** 2
        return np.asarray(self.rate * np.exp(-self.slope * (squared - REFERENCE**2) / 2))


REFERENCE = 5.0
"""Rank at which the rate of shapes is told."""
SHAPES = Shapes(3.45e-3, 0.68)
"""At 4096 Hz, from 130 h of white noise, with the default range and a mismatch of 0.25 or 0.3."""


@dataclass(frozen=True)
class TileField:
    """Where peaks of a bank's energies may lie: places, and what is lost there.

    Columns are [place]. ``measure`` is the volume, half the area or the length of edge that
    a place stands for in a second, so that sums over places are rates [Hz].
    """

    dimension: npt.NDArray[np.int64]
    """3 inside, 2 on a face, 1 on an edge."""
    measure: FloatArray
    trials_penalty: FloatArray
    """What the squared rank lacks of the squared SNR."""
    bank_loss: FloatArray
    """Of the energy, in the bank's loudest tile: -ln(seen / true)."""
    closer_loss: FloatArray
    """The same in the closer look at that tile."""
    extent: float
    """Mean extent of a peak, tau [s]."""

    @classmethod
    def of(cls, bank: Bank, config: DetectConfig) -> "TileField":
        """Lay out the field of a bank.

        Args:
            bank: Of one sample rate.
            config: What the bank was made of.
        """
        top = top_frequency(bank.sample_rate, config)
        a, b = np.log([config.low_frequency, top]), np.log([config.low_q, config.high_q])
        parts = [_inside(a, b), *(_face_of_q(a, q) for q in b), *(_face_of_f(b, f) for f in a)]
        parts += [_edge(f, q) for f in a for q in b]
        dimension, measure, where_a, where_b = (
            np.concatenate([part[i] for part in parts]) for i in range(4)
        )
        f, q = np.exp(where_a), np.exp(where_b)
        losses = [
            _losses(bank, f[at : at + CHUNK], q[at : at + CHUNK]) for at in range(0, len(f), CHUNK)
        ]
        bank_loss, closer_loss = (np.concatenate(column) for column in zip(*losses, strict=True))
        trials_penalty, inside = tile_trials_penalty(f), dimension == 3
        # Peaks of one rank are as frequent in each octave.
        extent = float(np.mean((q / f)[inside]) / (np.sqrt(2) * np.pi))
        return cls(dimension.astype(int), measure, trials_penalty, bank_loss, closer_loss, extent)

    def rate(self, rank: npt.ArrayLike, threshold: float) -> FloatArray:
        """Return the rate of tiles of some ranks or more [Hz]: peaks, before they are clustered.

        Args:
            rank: At least ``threshold``, any shape.
            threshold: Least rank of the search. A tile that is less than 1 / ``CLOSER`` of it
                is not looked at again, so that near it some peaks are missed.
        """
        ranks = np.maximum(np.asarray(rank, float), threshold)
        return np.array([self._rate(r, threshold) for r in ranks.ravel()]).reshape(ranks.shape)

    def _rate(self, rank: float, threshold: float) -> float:
        seen = (rank**2 + 2 + self.trials_penalty) * np.exp(self.closer_loss)
        looked_at = (threshold**2 + 2 + self.trials_penalty) / CLOSER * np.exp(self.bank_loss)
        u = np.maximum(seen, looked_at)
        return float(np.sum(self.measure * peak_density(u, self.dimension)))


def peak_density(energy: npt.ArrayLike, dimension: npt.ArrayLike) -> FloatArray:
    """Return how many peaks of |y|^2 lie above a level in a unit of volume, half area or edge.

    Args:
        energy: Level of |y|^2, whose mean is 2; well above 6, where the formulae hold.
        dimension: 3, 2 or 1: inside, on a face, on an edge.
    """
    u, d = np.asarray(energy, float), np.asarray(dimension)
    root = np.sqrt(u)
    shape = np.choose(d - 1, [root * np.pi / 2, u - 1, root * (u - 6)])
    norm = (2 * np.pi) ** -np.choose(d - 1, [1.5, 1.0, 1.5])
    return np.asarray(norm * shape * np.exp(-u / 2))


def trigger_rate(
    rank: npt.ArrayLike,
    field: TileField,
    config: DetectConfig,
    shapes: Shapes = SHAPES,
) -> FloatArray:
    """Return the false-alarm rate of triggers of some ranks or more in Gaussian noise [Hz].

    Args:
        rank: At least the threshold, any shape.
        field: Of the bank that is searched with.
        config: Threshold and gap.
        shapes: What rectangles and tracks add.
    """
    ranks = np.maximum(np.asarray(rank, float), config.threshold)
    threshold = np.asarray(config.threshold)
    above, all_ = (field.rate(r, config.threshold) + shapes(r) for r in (ranks, threshold))
    return merged(above, float(all_), config.gap_seconds + 1 / BINS + field.extent)


def merged(rate: npt.ArrayLike, all_: float, reach: float) -> FloatArray:
    """Return the rate of clusters that hold at least one event of a kind [Hz].

    Events at random times less than ``reach`` apart are one cluster; the number in a cluster
    is geometric.

    Args:
        rate: Of the events of the kind [Hz], any shape.
        all_: Of all events [Hz].
        reach: [s].
    """
    part = np.asarray(rate, float)
    return np.asarray(part / (1 + part / all_ * np.expm1(all_ * reach)))


_Places = tuple[npt.NDArray[np.int64], FloatArray, FloatArray, FloatArray]
"""Dimension, measure, ln f and ln q, [place]."""


def _between(ends: FloatArray, part: FloatArray) -> FloatArray:
    return np.asarray(ends[0] + (ends[1] - ends[0]) * part)


def _inside(a: FloatArray, b: FloatArray) -> _Places:
    count = POINTS[0]
    x, y = (np.mod(0.5 + np.arange(count) * step, 1) for step in STEPS)
    f, q = _between(a, x), _between(b, y)
    volume = np.pi / np.sqrt(2) * np.exp(f) * np.ptp(a) * np.ptp(b) / count
    return np.full(count, 3), volume, f, q


def _face_of_q(a: FloatArray, b: float) -> _Places:
    count = POINTS[1]
    f, q = _between(a, (np.arange(count) + 0.5) / count), np.full(count, b)
    area = np.pi * np.exp(f) * np.sqrt(1 + np.exp(-2 * b)) * np.ptp(a) / count
    return np.full(count, 2), area / 2, f, q


def _face_of_f(b: FloatArray, a: float) -> _Places:
    count = POINTS[1]
    f, q = np.full(count, a), _between(b, (np.arange(count) + 0.5) / count)
    area = np.pi * np.exp(a - q) * np.ptp(b) / count
    return np.full(count, 2), area / 2, f, q


def _edge(a: float, b: float) -> _Places:
    length = np.sqrt(2) * np.pi * np.exp(a - b)
    return np.array([1]), np.array([length]), np.array([a]), np.array([b])


def overlap(f: FloatArray, q: FloatArray, other_f: FloatArray, other_q: FloatArray) -> FloatArray:
    """Return the part of its energy that a wavelet shows in another one at the same time."""
    length, other = q / f, other_q / other_f
    squares = length**2 + other**2
    apart = ((f - other_f) * length * other) ** 2 / squares
    return np.asarray(2 * length * other / squares * np.exp(-apart))


def _losses(bank: Bank, f: FloatArray, q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return what the bank's tile with the largest rank loses, and the closer look at it."""
    seen = overlap(f[:, None], q[:, None], bank.frequency, bank.q)
    best = np.argmax(TYPICAL * seen - tile_trials_penalty(bank.frequency), axis=1)
    tile_f, tile_q = bank.frequency[best, None, None], bank.q[best, None, None]
    grid_f, grid_q = around(tile_f, tile_q, bank.spacing(tile_q))
    closer = overlap(f[:, None, None], q[:, None, None], grid_f, grid_q).max(axis=(1, 2))
    return -np.log(seen[np.arange(len(f)), best]), -np.log(closer)
