"""Candidates, triggers with and without a label, and a run that found nothing."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from transforms.elements import Arrival, Candidate, Event, Trigger
from transforms.sink.staging import opened, written

TRIGGER = Trigger(
    id="a1b2",
    ifo="H1",
    channel="H1:GDS-CALIB_STRAIN",
    time_ns=1126259462_421875000,
    start_ns=1126259462_250000000,
    end_ns=1126259462_500000000,
    frequency=120.0,
    low_frequency=60.0,
    high_frequency=240.0,
    bandwidth=180.0,
    duration=0.25,
    q=8.0,
    snr=12.0,
    rank=11.0,
    amplitude=1e-22,
    phase=0.5,
    wavelet="sine-gaussian",
    tiles=7,
    dq=("CAT2", "CAT3"),
    injections=("CBC_HW_INJ", "CW_HW_INJ"),
    config="c0ffee",
    data_time_ns=1126259463_000000000,
    snippet=np.arange(256, dtype=np.float32).tobytes(),
    snippet_rate=128,
    snippet_start_ns=1126259461_000000000,
    label="chirp",
    score=0.75,
    probabilities=(("blip", 0.25), ("chirp", 0.75)),
    model="small",
    wdf_basis="sym8",
    enwdf=5.0,
    wdf_rate=128,
    wdf_index=np.array([17, 40], np.uint16).tobytes(),
    wdf_value=np.array([3, -4], np.float32).tobytes(),
)
UNLABELLED = replace(
    TRIGGER, id="00ff", snippet=b"", label="", score=float("nan"), probabilities=(), model="",
    dq=(), injections=(), wdf_basis="", enwdf=0.0, wdf_rate=0, wdf_index=b"", wdf_value=b"",
)  # fmt: skip


def arrival(ifo: str, later_ns: int = 0, **changes: Any) -> Arrival:
    """Return what the network needs of a trigger of a detector, so much later [ns]."""
    shared = {
        field.name: getattr(TRIGGER, field.name)
        for field in fields(Arrival)
        if hasattr(TRIGGER, field.name)
    }
    shared |= {"id": f"{ifo}-a1b2", "ifo": ifo, "channel": f"{ifo}:GDS-CALIB_STRAIN"}
    shared |= {name: shared[name] + later_ns for name in ("time_ns", "start_ns", "end_ns")}
    return Arrival(**{**shared, **changes})


EVENT = Event(
    id="E1126259462c0ffee",
    time_ns=TRIGGER.time_ns,
    detectors=("H1", "L1"),
    triggers=(
        arrival("H1"),
        arrival("L1", -7_000_000, snr=9.0, frequency=128.0, low_frequency=50.0, dq=("L1:CAT1",)),
    ),
    snr=15.0,
    rank=21.5,
    rank_unlabelled=14.25,
    correlation=-0.75,
    delay_ns=-6_900_000,
    pair="H1L1",
    label="chirp",
    score=0.875,
    config="decaf",
    far=2e-9,
    far_livetime_ns=500_000_000 * 10**9,
    far_louder=0,
    far_method="slides",
)


def candidate(
    bin_ns: int, rank: float = 6.0, *, before: int = 0, after: int = 0, **fields: Any
) -> Candidate:
    """Make a tile in a bin [ns], as loud as its rank, that reaches from it so far [ns]."""
    values: dict[str, Any] = {
        "ifo": "H1",
        "channel": "H1:X",
        "bin_ns": bin_ns,
        "time_ns": bin_ns,
        "frequency": 100.0,
        "q": 6.0,
        "snr": rank,
        "rank": rank,
        "phase": 0.0,
        "amplitude": 1e-22,
        "start_ns": bin_ns - before,
        "end_ns": bin_ns + after,
        "low_frequency": 90.0,
        "high_frequency": 110.0,
        "tiles": 1,
        "dq": (),
    }
    return Candidate(**{**values, **fields})


def prepare(output: str, config_text: str, config_id: str, version: str) -> Path:
    """Leave in a folder what a run on files leaves that wrote nothing."""
    with opened(output, config_text, config_id, version) as run:
        written(run.staged, [])
        run.commit()
    return run.folder
