"""What transients are put into: simulated noise, or stretches of real strain."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.signal import resample_poly

from models.simulation import noise
from models.simulation.strain import SHORTEST, RealStrain
from transforms.arrays import FloatArray
from transforms.elements import Block
from transforms.gps import NANOSECONDS, to_ns
from transforms.ingest import quality
from transforms.ingest.config import IngestConfig
from transforms.ingest.files import formats

FIRST_GPS = 1_000_000_000
"""GPS second at which simulated stretches begin; a multiple of the PSD's updates."""
PERIOD = (60.0, 600.0)
"""Of the drift of the noise's level [s]: slow, or lines grow wings that no filter takes away."""


@dataclass(frozen=True)
class Drift:
    """How the noise's level changes: 1 + depth sin(2 pi t / period + phase)."""

    depth: float = 0.0
    period: float = 1.0
    """[s]."""
    phase: float = 0.0

    def at(self, second: FloatArray) -> FloatArray:
        """Return the level at times from the start [s]."""
        return 1 + self.depth * np.sin(2 * np.pi * second / self.period + self.phase)


@dataclass(frozen=True, kw_only=True)
class Background:
    """Noise, real or simulated, without injections."""

    name: str
    """Of the curve, or of the file."""
    curve: noise.NoiseCurve
    sample_rate: int
    start_ns: int
    strain: FloatArray
    """[time]."""
    drift: Drift = Drift()
    """By what simulated noise is louder than its curve."""

    @property
    def seconds(self) -> float:
        """Return the length [s]."""
        return len(self.strain) / self.sample_rate

    def block(self, strain: FloatArray) -> Block:
        """Return strain in its place, [time], as what the pipeline analyses whole."""
        start = self.start_ns
        end = start + to_ns(len(strain), self.sample_rate)
        return Block(
            ifo="X1",
            channel=f"X1:{self.name}",
            sample_rate=self.sample_rate,
            gps_start_ns=start,
            data=strain.tobytes(),
            segment_start_ns=start,
            segment_end_ns=end,
            analyse_start_ns=start,
            analyse_end_ns=end,
        )


@dataclass(frozen=True)
class Piece:
    """Contiguous strain in a file: whole seconds [GPS s]."""

    channel: str
    first: int
    last: int
    rate: int
    """[Hz]."""


def simulated(
    name: str,
    seconds: int,
    sample_rate: int,
    rng: np.random.Generator,
    modulation: float,
    most_lines: int,
) -> Background:
    """Simulate coloured noise with lines, whose level drifts.

    Args:
        name: Of the packaged curve.
        seconds: Length [s].
        sample_rate: [Hz].
        rng: Source of randomness.
        modulation: Greatest depth of the level's drift.
        most_lines: At most so many lines, each 3 to 30 times what the noise has in one second.
    """
    curve = noise.load(name)
    lines = _lines(curve, most_lines, rng)
    count = seconds * sample_rate
    # The two ends may fit together: nothing here reaches from one to the other.
    strain = np.asarray(noise.coloured(curve, count, sample_rate, rng, spare=0), np.float64)
    period = float(np.exp(rng.uniform(*np.log(PERIOD))))
    drift = Drift(rng.uniform(0, modulation), period, rng.uniform(0, 2 * np.pi))
    strain *= drift.at(np.arange(count) / sample_rate)
    # Lines do not drift with the noise: a line whose strength changes cannot be whitened away.
    noise.add_lines(strain, sample_rate, lines)
    return Background(
        name=name,
        curve=curve,
        sample_rate=sample_rate,
        start_ns=FIRST_GPS * NANOSECONDS,
        strain=strain,
        drift=drift,
    )


def _lines(curve: noise.NoiseCurve, most: int, rng: np.random.Generator) -> tuple[noise.Line, ...]:
    frequencies = np.exp(rng.uniform(np.log(40), np.log(900), rng.integers(0, most + 1)))
    heights = np.exp(rng.uniform(np.log(3), np.log(30), len(frequencies)))
    return tuple(
        noise.Line(float(f), float(h * curve.at(np.array([f]))[0]), float(rng.uniform(0, 6)))
        for f, h in zip(frequencies, heights, strict=True)
    )


def real(
    stretch: RealStrain, seconds: int, sample_rates: tuple[int, ...], rng: np.random.Generator
) -> Background:
    """Cut a part out of a stretch of real strain, at most ``seconds`` [s] long.

    Args:
        stretch: With its file, which :mod:`transforms.ingest` reads.
        seconds: Length [s]; shorter where the stretch is.
        sample_rates: From which the part's is drawn [Hz], as far as the file's allows.
        rng: Source of randomness.

    Raises:
        ValueError: The file holds no contiguous strain of ``SHORTEST`` seconds, or its rate is
            below all of ``sample_rates`` or no multiple of them.
    """
    pieces = _pieces(stretch)
    piece = pieces[int(rng.integers(len(pieces)))]
    held = whole(stretch, piece, int(rng.choice(_rates(stretch, piece, sample_rates))))
    rate, count = held.sample_rate, piece.last - piece.first
    first = int(rng.integers(max(0, count - seconds) + 1))
    return replace(
        held,
        start_ns=held.start_ns + first * NANOSECONDS,
        strain=held.strain[first * rate : (first + seconds) * rate],
    )


def check(stretch: RealStrain, sample_rates: tuple[int, ...]) -> None:
    """Refuse a stretch of real strain of which `real` could not cut a part.

    Raises:
        ValueError: As there.
    """
    for piece in _pieces(stretch):
        _rates(stretch, piece, sample_rates)


def _rates(stretch: RealStrain, piece: Piece, sample_rates: tuple[int, ...]) -> list[int]:
    """Return the sample rates [Hz] that a piece can be brought to."""
    rates = [one for one in sample_rates if one <= piece.rate and piece.rate % one == 0]
    if not rates:
        raise ValueError(
            f"{stretch.file}: its rate of {piece.rate} Hz gives none of {sample_rates}"
        )
    return rates


def piece_of(part: Background, stretch: RealStrain) -> Piece:
    """Return the contiguous strain that a part was cut out of."""
    second = part.start_ns // NANOSECONDS
    return next(one for one in _pieces(stretch) if one.first <= second < one.last)


@lru_cache
def _pieces(stretch: RealStrain) -> tuple[Piece, ...]:
    path, found = stretch.file, []
    held = formats.examine(path, IngestConfig(require=()), stretch.span)
    if held.errors:
        raise held.errors[0]
    start, end = stretch.span
    for span in held.spans:
        if span.ifo != stretch.detector:
            continue
        at, until = max(span.gps_start_ns, start), min(span.gps_end_ns, end)
        rate = span.file_rate or span.sample_rate
        # One sample is a constant run at an end, where the next file may go on with it.
        least = to_ns(quality.SHORTEST_CONSTANT, rate)
        ends = sorted(
            (gap.start_ns, gap.end_ns)
            for gap in span.gaps
            if gap.name != quality.CONSTANT or gap.end_ns - gap.start_ns >= least
        )
        for stop, next_ in (*ends, (until, until)):
            first, last = -(-at // NANOSECONDS), min(stop, until) // NANOSECONDS
            if last - first >= SHORTEST:
                found.append(Piece(span.channel, first, last, rate))
            at = max(at, next_)
    if not found:
        raise ValueError(
            f"{path} holds no contiguous strain of {SHORTEST} s of {stretch.detector} in "
            f"{stretch.start} to {stretch.start + stretch.seconds}"
        )
    return tuple(found)


@lru_cache(maxsize=64)
def whole(stretch: RealStrain, piece: Piece, sample_rate: int) -> Background:
    """Read a piece whole.

    Args:
        stretch: Which it is of.
        piece: What is read.
        sample_rate: To which it is resampled [Hz]: the piece's, or a whole part of it.
    """
    span = piece.first * NANOSECONDS, piece.last * NANOSECONDS
    native, rate = formats.read_native(stretch.file, piece.channel, *span)
    strain = np.array(native, np.float64)
    if rate != sample_rate:
        strain = resample_poly(strain, 1, rate // sample_rate)
    curve = noise.measured(stretch.name, strain, sample_rate)
    return Background(
        name=stretch.name, curve=curve, sample_rate=sample_rate, start_ns=span[0], strain=strain
    )
