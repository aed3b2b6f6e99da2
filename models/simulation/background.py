"""What transients are put into: simulated noise, or stretches of real strain."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from models.simulation import noise
from transforms.arrays import FloatArray
from transforms.elements import Block
from transforms.gps import NANOSECONDS, to_ns
from transforms.ingest.config import IngestConfig
from transforms.ingest.files import formats

FIRST_GPS = 1_000_000_000
"""GPS second at which simulated stretches begin; a multiple of the PSD's updates."""
SHORTEST = 32
"""Shortest stretch of real strain that is used [s]: half of it is edges. Longer ones begin at
multiples of it, so that what is known of one is of use again."""
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
    path: str, seconds: int, sample_rates: tuple[int, ...], rng: np.random.Generator
) -> Background:
    """Cut a stretch out of a file of real strain, at most ``seconds`` [s] long.

    Args:
        path: A file that :mod:`transforms.ingest` reads.
        seconds: Length [s]; shorter where the file is.
        sample_rates: From which the stretch's is drawn [Hz], as far as the file's allows.
        rng: Source of randomness.

    Raises:
        ValueError: The file holds no contiguous strain of ``SHORTEST`` seconds, or its rate is
            below all of ``sample_rates`` or no multiple of them.
    """
    pieces = _pieces(path)
    piece = pieces[int(rng.integers(len(pieces)))]
    rates = [one for one in sample_rates if one <= piece.rate and piece.rate % one == 0]
    if not rates:
        raise ValueError(f"{path}: its rate of {piece.rate} Hz gives none of {sample_rates}")
    chosen = int(rng.choice(rates))
    choices = max(0, piece.last - piece.first - seconds) // SHORTEST + 1
    start = piece.first + SHORTEST * int(rng.integers(choices))
    return _cut(path, piece.channel, start, min(start + seconds, piece.last), chosen)


@lru_cache
def _pieces(path: str) -> tuple[Piece, ...]:
    found = []
    for span in formats.inspect(path, IngestConfig(require=())):
        at = span.gps_start_ns
        ends = sorted((gap.start_ns, gap.end_ns) for gap in span.gaps)
        for until, next_ in (*ends, (span.gps_end_ns, span.gps_end_ns)):
            first, last = -(-at // NANOSECONDS), until // NANOSECONDS
            if last - first >= SHORTEST:
                found.append(Piece(span.channel, first, last, span.file_rate or span.sample_rate))
            at = max(at, next_)
    if not found:
        raise ValueError(f"{path} holds no contiguous strain of {SHORTEST} s")
    return tuple(found)


@lru_cache(maxsize=8)
def _cut(path: str, channel: str, start: int, end: int, sample_rate: int) -> Background:
    span = start * NANOSECONDS, end * NANOSECONDS
    native, rate = formats.read_native(path, channel, *span)
    strain = np.array(native, np.float64)
    if rate != sample_rate:
        strain = resample_poly(strain, 1, rate // sample_rate)
    name = Path(path).name
    curve = noise.measured(name, strain, sample_rate)
    return Background(
        name=name, curve=curve, sample_rate=sample_rate, start_ns=span[0], strain=strain
    )
