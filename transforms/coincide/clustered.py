"""One pair a second: so pairs are counted, in zero lag and in every slide alike."""

import numpy as np

from transforms.arrays import BoolArray, FloatArray
from transforms.coincide.arrivals import Arrivals
from transforms.coincide.features import Index, Pairs
from transforms.gps import NANOSECONDS


def second_of(first: Arrivals, pairs: Pairs) -> Index:
    """Return the GPS second that each pair counts in: that of the first detector's peak [s]."""
    return np.asarray(first.time_ns[pairs.first] // NANOSECONDS)


def best_by_second(seconds: Index, pairs: Pairs, loudness: FloatArray) -> BoolArray:
    """Return which pairs are the loudest of their second in their slide, [pair].

    Of equally loud ones, the pair counts whose first trigger is the earliest, then its second
    one, by time and id: so the order of the pairs plays no part. What is not a number is the
    least loud of all.

    Args:
        seconds: In which each pair counts [GPS s], [pair].
        pairs: Of two detectors, of any number of slides.
        loudness: What decides, the larger the louder, [pair].
    """
    order = np.lexsort((pairs.second, pairs.first, -loudness, seconds, pairs.shift_ns))
    begins = np.ones(len(order), bool)
    begins[1:] = np.diff(seconds[order]) != 0
    begins[1:] |= np.diff(pairs.shift_ns[order]) != 0
    best = np.zeros(len(order), bool)
    best[order[begins]] = True
    return best
