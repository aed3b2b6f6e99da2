"""Our own search on whitened strain: as it is, and its tiles alone."""

import numpy as np

from benchmarks.detection.detector import as_event, flat
from benchmarks.detection.scoring import Event
from transforms.arrays import FloatArray, IntArray, SingleArray
from transforms.detect.bank import bank_for
from transforms.detect.cluster import cluster
from transforms.detect.config import DetectConfig
from transforms.detect.describe import join, tile_candidates
from transforms.detect.octave import BINS
from transforms.detect.search import HOPS_AT_ONCE
from transforms.detect.search import search as whole_search
from transforms.detect.sessions import Sessions
from transforms.detect.view import View
from transforms.elements import Candidate, Whitened
from transforms.gps import NANOSECONDS
from transforms.whiten.config import WhitenConfig

BAND_LOW = WhitenConfig().low_frequency
"""Lower end of the whitened band [Hz]."""


def search(white: SingleArray, rate: int, least: float) -> list[Event]:
    """Find tiles, rectangles and tracks, and merge them into triggers."""
    config = DetectConfig(threshold=least)
    bank = bank_for(rate, config, BAND_LOW)
    return _triggers(
        whole_search(_whitened(white, rate, bank.margin_seconds), config, bank), config
    )


def tiles(white: SingleArray, rate: int, least: float) -> list[Event]:
    """Find tiles alone, and merge them into triggers."""
    config = DetectConfig(threshold=least)
    bank = bank_for(rate, config, BAND_LOW)
    view = View.of(_whitened(white, rate, bank.margin_seconds), config, bank)
    last = len(white) // rate
    found: list[Candidate] = []
    for hop in range(0, last, HOPS_AT_ONCE):
        count = min(HOPS_AT_ONCE, last - hop)
        energy = np.empty((count, len(bank.q), BINS), np.float32)
        parts = [
            part
            for octave in bank.octaves
            for part in octave.scan(view.blocks(octave, hop, count), least, energy)
        ]
        if parts:
            found += tile_candidates(view, join(parts), hop, (0, last * NANOSECONDS), _white)
    return _triggers(found, config)


def _white(rows: IntArray, _bins: IntArray) -> FloatArray:
    """Return the level of white noise, wherever tiles lie."""
    return np.ones(len(rows))


def _whitened(white: SingleArray, rate: int, margin: int) -> Whitened:
    """Return whitened strain as the search takes it, with zeros around it."""
    whole = 0, len(white) // rate * NANOSECONDS
    padded = np.pad(white, margin * rate)
    return flat(padded, rate, -margin * NANOSECONDS, valid_ns=whole, analyse_ns=whole)


def _triggers(candidates: list[Candidate], config: DetectConfig) -> list[Event]:
    sessions = Sessions.of(config).group(candidates)
    return [as_event(cluster(session.candidates, "benchmark")) for session in sessions]
