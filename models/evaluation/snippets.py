"""Triggers of labelled strain snippets: our own whitening and detection, as far as they go.

A snippet of ``WhitenConfig.minimum_seconds`` is whitened as the pipeline does. A shorter one
holds no spectrum worth the name: it is whitened with the median spectrum of all snippets of
its detector and rate, by the pipeline's filter at a resolution of 1 Hz.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import oaconvolve
from scipy.signal.windows import tukey

from models.evaluation.strain_files import Strain
from transforms.arrays import FloatArray
from transforms.detect.bank import Bank, bank_for
from transforms.detect.cluster import cluster
from transforms.detect.config import DetectConfig
from transforms.detect.octave import BINS
from transforms.detect.search import search
from transforms.detect.sessions import Sessions
from transforms.detect.view import View
from transforms.elements import TILE, Block, Trigger, Whitened
from transforms.gps import NANOSECONDS, to_ns
from transforms.whiten.config import WhitenConfig
from transforms.whiten.fir import WhiteningFilter, design, pre_emphasise
from transforms.whiten.psd import median_psd, periodograms
from transforms.whiten.whitening import whiten

NEAR_NS = NANOSECONDS // 2
"""How far from the time told a trigger may lie [ns]."""
AROUND = 1
"""Seconds searched before and after it."""
SEGMENTS = 16
"""Segments of 1 s of a snippet that enter the spectrum at most, so that a long one is not all."""
EDGE = 0.2
"""Faded in and out of a short snippet, and not searched [s]; a fifth of what is shorter than 1 s.

A faster fade lets what strain has below 16 Hz leak into the band."""
_QUIET = (4.0, 3.0, 2.0, 1.0)
"""Ranks from which on tiles are looked at, where the detector finds none."""
_FOREVER = 1 << 62
CONFIG = "evaluation"
"""Stands for the hash of a configuration in the triggers."""


def is_long(strain: Strain, whitening: WhitenConfig) -> bool:
    """Return whether the pipeline would analyse a snippet."""
    return strain.end_ns - strain.start_ns >= whitening.minimum_seconds * NANOSECONDS


def spectra(strain: Strain) -> FloatArray:
    """Return the periodograms of a snippet's first seconds, [segment, frequency], at 1 Hz.

    There is none of a snippet shorter than a second.
    """
    if len(strain.samples) < strain.rate:
        return np.empty((0, strain.rate // 2 + 1))
    return periodograms(strain.samples[: SEGMENTS * strain.rate // 2], strain.rate, 1)


def common_filter(
    power: FloatArray, rate: int, whitening: WhitenConfig
) -> tuple[WhiteningFilter, WhitenConfig]:
    """Make the filter for short snippets of one detector and rate.

    Args:
        power: Periodograms of all snippets, [segment, frequency].
        rate: [Hz].
        whitening: The pipeline's; its resolution is lowered to 1 Hz.

    Returns:
        The filter, and the configuration that it has.

    Raises:
        ValueError: There is no periodogram.
    """
    if not len(power):
        raise ValueError("no snippet is as long as 1 s: give more strain around the events")
    coarse = replace(
        whitening, fft_seconds=1, past_seconds=1 - whitening.lookahead_seconds, psd_seconds=64
    )
    psd, segments = median_psd(power, np.ones(len(power), bool))
    return design(psd, segments, rate, coarse), coarse


def whiten_long(
    strain: Strain, time_ns: int, whitening: WhitenConfig, margin_seconds: int
) -> Whitened:
    """Whiten a snippet as the pipeline does, around a time."""
    second = time_ns // NANOSECONDS
    start, end = strain.start_ns, strain.end_ns
    block = Block(
        ifo=strain.ifo,
        channel=f"{strain.ifo}:SNIPPET",
        sample_rate=strain.rate,
        gps_start_ns=start,
        data=strain.samples.tobytes(),
        segment_start_ns=start,
        segment_end_ns=end,
        analyse_start_ns=max(start, (second - AROUND) * NANOSECONDS),
        analyse_end_ns=min(end, (second + AROUND + 1) * NANOSECONDS),
    )
    return whiten(block, whitening, margin_seconds * NANOSECONDS)


def whiten_short(
    strain: Strain, made: WhiteningFilter, coarse: WhitenConfig, margin_seconds: int
) -> Whitened:
    """Whiten a snippet with a filter made of others; its ends are faded, and not valid."""
    rate, count = strain.rate, len(strain.samples)
    edge = min(round(EDGE * rate), count // 5)
    # Strain that begins with a step would ring for as long as the filter.
    known = pre_emphasise(strain.samples) * tukey(count - 2, 2 * edge / (count - 2))
    # The pre-emphasised strain lies a sample to either side of what it was made of.
    delay = made.lookahead - 2
    white = oaconvolve(known / made.level, made.taps)[delay : delay + count]
    first = (strain.start_ns // NANOSECONDS - margin_seconds) * rate
    last = (-(-strain.end_ns // NANOSECONDS) + margin_seconds) * rate
    out = np.zeros(last - first, np.float32)
    low, high = strain.first + edge, strain.first + count - edge
    out[low - first : high - first] = white[edge : count - edge]
    start_ns, end_ns = to_ns(low, rate), to_ns(high, rate)
    return Whitened(
        ifo=strain.ifo,
        channel=f"{strain.ifo}:SNIPPET",
        sample_rate=rate,
        gps_start_ns=to_ns(first, rate),
        data=out.tobytes(),
        valid_start_ns=start_ns,
        valid_end_ns=end_ns,
        analyse_start_ns=start_ns,
        analyse_end_ns=end_ns,
        asd=made.asd.astype(np.float32).tobytes(),
        asd_start_ns=0,
        asd_step_ns=_FOREVER,
        asd_resolution=1 / coarse.fft_seconds,
        response=made.response.tobytes(),
    )


@dataclass(frozen=True)
class Found:
    """What stands for an event."""

    trigger: Trigger
    detected: bool
    """Whether the detector found it; else it was made of the loudest tile."""


def trigger_at(whitened: Whitened, time_ns: int, detection: DetectConfig, bank: Bank) -> Found:
    """Return the trigger nearest to a time, or make one there of the loudest tile."""
    sessions = Sessions.of(detection).group(search(whitened, detection, bank))
    triggers = [cluster(session.candidates, CONFIG) for session in sessions]
    near = [t for t in triggers if abs(t.time_ns - time_ns) <= NEAR_NS]
    if near:
        return Found(min(near, key=lambda t: abs(t.time_ns - time_ns)), True)
    return Found(_forced(View.of(whitened, detection, bank), time_ns), False)


def bank_of(rate: int, whitening: WhitenConfig, detection: DetectConfig) -> Bank:
    """Return the bank that searches strain of a rate."""
    return bank_for(rate, detection, whitening.low_frequency)


def _forced(view: View, time_ns: int) -> Trigger:
    """Make a trigger at a time, of the loudest tile near it."""
    frequency, q, snr, rank = _loudest(view, time_ns)
    half_time = round(q / (2 * np.sqrt(2) * np.pi * frequency) * NANOSECONDS)
    half_band = frequency / (np.sqrt(2) * q)
    snippet = view.snippet(time_ns)
    return Trigger(
        id="",
        ifo=view.whitened.ifo,
        channel=view.whitened.channel,
        time_ns=time_ns,
        start_ns=time_ns - half_time,
        end_ns=time_ns + half_time,
        frequency=frequency,
        low_frequency=frequency - half_band,
        high_frequency=frequency + half_band,
        bandwidth=2 * half_band,
        duration=2 * half_time / 1e9,
        q=q,
        snr=snr,
        rank=rank,
        amplitude=snr * view.asd(time_ns, frequency) / np.sqrt(2),
        phase=0.0,
        wavelet=TILE,
        tiles=1,
        dq=(),
        config=CONFIG,
        data_time_ns=time_ns + half_time,
        snippet=snippet.samples,
        snippet_rate=snippet.rate,
        snippet_start_ns=snippet.start_ns,
    )


def _loudest(view: View, time_ns: int) -> tuple[float, ...]:
    """Return frequency, q, SNR and rank of the loudest tile near a time."""
    whitened = view.whitened
    low = max(time_ns - NEAR_NS, whitened.valid_start_ns)
    high = min(time_ns + NEAR_NS, whitened.valid_end_ns)
    first = low // NANOSECONDS
    hops = max(-(-high // NANOSECONDS) - first, 1)
    energy = np.empty((hops, len(view.bank.q), BINS), np.float32)
    for threshold in _QUIET:
        best = []
        for octave in view.bank.octaves:
            for tiles in octave.scan(view.blocks(octave, first, hops), threshold, energy):
                at = (first + tiles.hop) * NANOSECONDS + (tiles.sample * NANOSECONDS).astype(int)
                rank = np.where((at >= low) & (at < high), tiles.rank, 0)
                i = int(np.argmax(rank))
                if rank[i] > 0:
                    columns = tiles.frequency, tiles.q, tiles.snr, tiles.rank
                    best.append(tuple(float(column[i]) for column in columns))
        if best:
            return max(best, key=lambda tile: tile[-1])
    # Nothing at all: the bank's first tile, as loud as noise.
    return float(view.bank.frequency[0]), float(view.bank.q[0]), 1.0, 1.0
