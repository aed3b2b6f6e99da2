"""Arrivals of two detectors at random, and their pairs by the simplest loop there is."""

from dataclasses import replace
from typing import Any

import numpy as np

from transforms.coincide.arrivals import COUNT, RATE, Arrivals
from transforms.coincide.features import Pairs
from transforms.elements import Arrival
from transforms.gps import NANOSECONDS, to_index, to_ns

CLASSES = ("blip", "chirp", "koi")
T0 = 1126259460 * NANOSECONDS
TRAVEL = 10_012_846
MS = 1_000_000

ARRIVAL = Arrival(
    id="a",
    ifo="H1",
    channel="H1:STRAIN",
    time_ns=T0,
    start_ns=T0 - 10 * MS,
    end_ns=T0 + 10 * MS,
    frequency=100.0,
    low_frequency=60.0,
    high_frequency=160.0,
    bandwidth=100.0,
    duration=0.02,
    q=8.0,
    snr=8.0,
    rank=7.0,
    amplitude=1e-22,
    label="blip",
    score=0.5,
    probabilities=(("blip", 0.5), ("chirp", 0.25), ("koi", 0.25)),
    dq=(),
    injections=(),
    config="c0ffee",
    model="small",
)


def arrival(time_ns: int, before: int = 10 * MS, after: int = 10 * MS, **fields: Any) -> Arrival:
    """Make an arrival whose extent is so long before and after its peak [ns]."""
    extent: dict[str, Any] = {"start_ns": time_ns - before, "end_ns": time_ns + after}
    extent["duration"] = (before + after) / NANOSECONDS
    return replace(ARRIVAL, time_ns=time_ns, **{"id": f"{time_ns:x}", **extent, **fields})


def waveform(
    rng: np.random.Generator, time_ns: int, first: int = 0, end: int = COUNT
) -> dict[str, Any]:
    """Return the fields of a waveform of noise from one sample to another."""
    samples = np.zeros(COUNT, np.float32)
    samples[first:end] = rng.normal(size=end - first)
    start = to_index(time_ns, RATE) - COUNT // 2
    return {
        "waveform": samples.tobytes(),
        "waveform_rate": RATE,
        "waveform_start_ns": to_ns(start, RATE),
    }


def many(
    rng: np.random.Generator, ifo: str, count: int, seconds: float, longest: float = 1.5
) -> list[Arrival]:
    """Draw arrivals in some seconds; most are short, all differ, some at one time."""
    made: list[Arrival] = []
    for number in range(count):
        time_ns = T0 + int(rng.integers(0, int(seconds * 1e9)))
        if number % 5 == 1:
            time_ns = made[-1].time_ns
        before, after = (int(x) for x in np.minimum(rng.exponential(0.15, 2), longest) * 1e9)
        low = float(np.exp(rng.uniform(np.log(20), np.log(500))))
        high = low * float(rng.uniform(1.1, 4))
        p = rng.dirichlet(np.ones(len(CLASSES)))
        first, end = np.sort(rng.integers(0, COUNT, 2))
        made.append(
            arrival(
                time_ns,
                before,
                after,
                id=f"{ifo}{rng.integers(1 << 40):010x}",
                ifo=ifo,
                low_frequency=low,
                high_frequency=high,
                frequency=(low + high) / 2,
                bandwidth=high - low,
                rank=float(rng.uniform(5, 20)),
                q=float(rng.uniform(3, 30)),
                amplitude=float(np.exp(rng.normal(-50, 1))),
                probabilities=tuple(zip(CLASSES, p.tolist(), strict=True)),
                **(waveform(rng, time_ns, first, end) if number % 7 else {}),
            )
        )
    return made


def meet(a: Arrivals, b: Arrivals, i: int, j: int, travel_ns: int, shift_ns: int) -> bool:
    """Return whether two arrivals are a pair, by the words of the rule."""
    bands = max(a.low_frequency[i], b.low_frequency[j]) < min(
        a.high_frequency[i], b.high_frequency[j]
    )
    later = b.start_ns[j] + shift_ns < a.end_ns[i] + travel_ns
    earlier = b.end_ns[j] + shift_ns > a.start_ns[i] - travel_ns
    return bool(bands and later and earlier)


def naive(a: Arrivals, b: Arrivals, travel_ns: int, shifts: list[int]) -> list[tuple[int, ...]]:
    """List the pairs of one slide after the other, trigger by trigger."""
    return sorted(
        (i, j, shift)
        for shift in shifts
        for i in range(len(a))
        for j in range(len(b))
        if meet(a, b, i, j, travel_ns, shift)
    )


def listed(pairs: Pairs) -> list[tuple[int, ...]]:
    """List pairs as they stand."""
    columns = (pairs.first.tolist(), pairs.second.tolist(), pairs.shift_ns.tolist())
    return list(zip(*columns, strict=True))
