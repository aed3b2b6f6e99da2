"""Strain for the tests: simulated noise as blocks, and the real files."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
for _pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_pool, "1")

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models import noise
from transforms.elements import Block
from transforms.gps import NANOSECONDS, to_ns

START = 1_000_000_007


@pytest.fixture(scope="session")
def data() -> Path:
    """Give the folder of the real files."""
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def coloured() -> Callable[..., np.ndarray]:
    """Make noise of a published curve: (curve, seconds, sample_rate, seed) -> strain."""

    def make(curve: str, seconds: int, sample_rate: int = 4096, seed: int = 1) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return noise.coloured(noise.load(curve), seconds * sample_rate, sample_rate, rng)

    return make


@pytest.fixture(scope="session")
def as_block() -> Callable[..., Block]:
    """Make a block of a whole segment: (strain, sample_rate, **fields) -> Block."""

    def make(strain: np.ndarray, sample_rate: int = 4096, **fields: object) -> Block:
        start = int(fields.pop("start_ns", START * NANOSECONDS))
        end = start + to_ns(len(strain), sample_rate)
        values = {
            "ifo": "H1",
            "channel": "H1:TEST-STRAIN",
            "sample_rate": sample_rate,
            "gps_start_ns": start,
            "data": strain.astype(np.float64).tobytes(),
            "segment_start_ns": start,
            "segment_end_ns": end,
            "analyse_start_ns": start,
            "analyse_end_ns": end,
        }
        return Block(**{**values, **fields})

    return make
