"""One trigger out of the candidates that belong together."""

import hashlib
from collections.abc import Iterable

from transforms.detect.wdf import with_wdf
from transforms.elements import TILE, Candidate, Trigger

PRECISE = 0.5
"""A tile this part as loud as the loudest shape gives the parameters: it knows them better."""


def trigger_id(channel: str, config_id: str, peak: Candidate) -> str:
    """Name a trigger by what makes it: channel, configuration and peak tile.

    The bin, the frequency and the quality come from fixed grids, so rounding cannot
    change the name. It can change which point of the grids is the loudest, where two are
    equally loud: on another kind of processor, or with another BLAS, a name may differ.
    """
    key = f"{channel}|{config_id}|{peak.bin_ns}|{peak.frequency:.6g}|{peak.q:.6g}"
    return hashlib.sha256(key.encode()).hexdigest()[:20]


def loudness(candidate: Candidate) -> tuple[float, int, float, float]:
    """Return what the loudest of candidates has least of."""
    return -candidate.rank, candidate.bin_ns, candidate.frequency, candidate.q


def cluster(candidates: Iterable[Candidate], config_id: str) -> Trigger:
    """Merge the candidates of one session into one trigger.

    The SNR is that of the loudest tile or extended shape. The other parameters are those of
    the loudest tile, where there is one nearly as loud. The extent is that of all tiles and of
    the loudest: quieter shapes reach far beyond a signal that they only touch.

    Args:
        candidates: Of one channel, at least one, in any order.
        config_id: Hash of the configuration of the science.

    Raises:
        ValueError: There is no candidate.
    """
    members = sorted(candidates, key=loudness)
    if not members:
        raise ValueError("a trigger needs at least one candidate")
    tiles = [c for c in members if c.wavelet == TILE and c.rank >= PRECISE * members[0].rank]
    peak = (tiles or members)[0]
    extent = [c for c in members if c.wavelet == TILE or c is members[0]]
    start, end = min(c.start_ns for c in extent), max(c.end_ns for c in extent)
    low = min(c.low_frequency for c in extent)
    high = max(c.high_frequency for c in extent)
    trigger = Trigger(
        id=trigger_id(peak.channel, config_id, peak),
        ifo=peak.ifo,
        channel=peak.channel,
        time_ns=peak.time_ns,
        start_ns=start,
        end_ns=end,
        frequency=peak.frequency,
        low_frequency=low,
        high_frequency=high,
        bandwidth=high - low,
        duration=(end - start) / 1e9,
        q=peak.q,
        snr=members[0].snr,
        rank=members[0].rank,
        amplitude=peak.amplitude,
        phase=peak.phase,
        wavelet=members[0].wavelet,
        tiles=sum(c.tiles for c in members),
        dq=tuple(sorted({name for c in members for name in c.dq})),
        injections=tuple(sorted({name for c in members for name in c.injections})),
        config=config_id,
        data_time_ns=end,
        snippet=peak.snippet,
        snippet_rate=peak.snippet_rate,
        snippet_start_ns=peak.snippet_start_ns,
    )
    return with_wdf(trigger)
