"""What has been decompressed is kept within bounds, and never given in place of other data."""

import os
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier

import gwframe
import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms import gps
from transforms.elements import Block
from transforms.ingest import frame_cache
from transforms.ingest.config import IngestConfig
from transforms.ingest.files import hdf5
from transforms.ingest.files.blocks import read_block
from transforms.ingest.files.formats import inspect, read
from transforms.ingest.files.plan import plan
from transforms.ingest.frame_cache import FrameCache, Part
from transforms.ingest.reach import Reach

S = gps.NANOSECONDS
START, RATE = 1_000_000_000, 256
CHANNEL = "H1:STRAIN"
REACH = Reach(past_ns=5 * S, future_ns=S, warm_up_ns=4 * S)
FRAME = 8 * RATE * 8
"""Bytes of a frame of 8 s."""


class Counting(FrameCache):
    """Tells what had to be decompressed."""

    def __init__(self, largest: int) -> None:
        super().__init__(largest)
        self.decoded: list[Hashable] = []

    def part(self, key: Hashable, decode: Callable[[], Part]) -> Part:
        def counted() -> Part:
            self.decoded.append(key)
            return decode()

        return super().part(key, counted)


@pytest.fixture
def keep(monkeypatch) -> Callable[[int], Counting]:
    """Keep from now on at most so many bytes, of nothing at first."""

    def start(largest: int) -> Counting:
        kept = Counting(largest)
        monkeypatch.setattr(frame_cache, "KEPT", kept)
        return kept

    return start


def noise(seconds: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1e-21, seconds * RATE)


def write_gwf(path: Path, strain: np.ndarray, start: int = START) -> None:
    gwframe.write(str(path), {CHANNEL: strain}, float(start), RATE)


def write_hdf5(path: Path, strain: np.ndarray, start: int = START, **options: object) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset(CHANNEL, data=strain, **options)
        file[CHANNEL].attrs.update({"start_time": float(start), "delta_t": 1 / RATE})


def frames(folder: Path, number: int, seconds: int) -> list[str]:
    """Write continuous noise as frames, one to a file."""
    strain = noise(number * seconds).reshape(number, -1)
    paths = [folder / f"{index}.gwf" for index in range(number)]
    for index, path in enumerate(paths):
        write_gwf(path, strain[index], START + index * seconds)
    return [str(path) for path in paths]


def blocks(paths: list[str], threads: int = 1) -> list[Block]:
    """Inspect files, and read them in blocks of 8 s that overlap by 6 s."""
    spans = [span for path in paths for span in inspect(path, IngestConfig())]
    plans = plan(spans, REACH, 4 * S, 8 * S).blocks
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(read_block, plans))


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([1, 8, 40])), max_size=40))
def test_no_more_is_kept_than_the_bound_or_the_last_part(asked):
    kept, held = Counting(30 * 8), list[tuple[int, int]]()
    for key in asked:
        samples = np.full(key[1], float(key[0]))
        part = kept.part(key, partial(Part, 0, 1, samples.copy()))
        np.testing.assert_array_equal(part.samples, samples)
        held = [*(other for other in held if other != key), key]
        while sum(size for _, size in held) > 30 and len(held) > 1:
            held.pop(0)
        assert kept.nbytes == sum(size for _, size in held) * 8
    before = len(kept.decoded)
    for key in held:
        kept.part(key, partial(Part, 0, 1, np.empty(0)))
    assert len(kept.decoded) == before


def test_no_longer_strain_is_kept_than_the_bound():
    kept = FrameCache(largest=1 << 20, longest_ns=30 * S)
    for number in range(9):
        kept.part(number, partial(Part, 0, 4, np.zeros(40)))
        assert kept.duration_ns == min(number + 1, 3) * 10 * S
        assert kept.nbytes == min(number + 1, 3) * 320


def test_what_several_readers_share_cannot_be_written_to(tmp_path):
    write_gwf(tmp_path / "a.gwf", noise(4))
    samples = read(str(tmp_path / "a.gwf"), CHANNEL, START * S, (START + 2) * S, RATE)
    with pytest.raises(ValueError, match="read-only"):
        samples[0] = 0


@pytest.mark.parametrize(
    ("largest", "decodes"),
    [
        (12 * FRAME, 12),  # all of it fits: inspection and blocks share it
        (2 * FRAME, 24),  # what consecutive blocks share fits: once for each of the passes
        (1, 12 + 12 + 2 * 11),  # only the last: anew for each of the three blocks that touch it
    ],
)
def test_a_frame_is_decompressed_as_often_as_must_be(tmp_path, keep, largest, decodes):
    paths = frames(tmp_path, 12, 8)
    kept = keep(largest)
    assert len(blocks(paths)) == 12
    assert len(kept.decoded) == decodes
    assert kept.nbytes <= max(largest, FRAME)


def test_a_frame_beyond_the_bound_is_decompressed_once(tmp_path, keep):
    (path,) = frames(tmp_path, 1, 64)
    kept = keep(FRAME)
    assert len(blocks([path])) == 8
    assert len(kept.decoded) == 1


@pytest.mark.parametrize("seconds", [4, 8, 24])
def test_what_is_kept_changes_no_bit(tmp_path, keep, seconds):
    paths = frames(tmp_path, 48 // seconds, seconds)
    strain = noise(48)
    for largest in (1, 2 * FRAME, 1 << 30):
        keep(largest)
        found = blocks(paths)
        assert len(found) == 6
        for block in found:
            begin = (block.gps_start_ns - START * S) * RATE // S
            np.testing.assert_array_equal(block.samples, strain[begin : begin + len(block.samples)])


def test_threads_get_what_one_alone_gets(tmp_path, keep):
    paths = frames(tmp_path, 12, 8)
    expected = blocks(paths)
    kept = keep(2 * FRAME)
    for _ in range(5):
        assert blocks(paths, threads=8) == expected
    assert kept.nbytes <= 2 * FRAME


def test_threads_decompress_beside_each_other_and_one_part_counts_once():
    kept, both = FrameCache(1000), Barrier(2, timeout=240)

    def decode() -> Part:
        both.wait()
        return Part(0, 1, np.zeros(10))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: kept.part("same", decode), range(2)))
    assert kept.nbytes == 80


@pytest.mark.parametrize("write", [write_gwf, write_hdf5])
@pytest.mark.parametrize("in_place", [True, False])
def test_a_file_written_again_is_decompressed_anew(tmp_path, write, in_place):
    path, other = tmp_path / "a", tmp_path / "b"
    span = str(path), CHANNEL, START * S, (START + 4) * S, RATE
    write(path, noise(4))
    np.testing.assert_array_equal(read(*span), noise(4))
    old = os.stat(path)
    write(other, noise(4, seed=2))
    if in_place:
        path.write_bytes(other.read_bytes())
        # A clock too coarse to tell two writes from each other is not what is tested.
        os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns + 1))
    else:
        os.utime(other, ns=(old.st_atime_ns, old.st_mtime_ns))
        other.rename(path)
    np.testing.assert_array_equal(read(*span), noise(4, seed=2))


@pytest.mark.parametrize("options", [{}, {"chunks": (300,)}, {"chunks": (5000,)}], ids=str)
def test_any_stretch_of_hdf5_is_that_of_the_data_set(tmp_path, keep, monkeypatch, options):
    monkeypatch.setattr(hdf5, "_PIECE", 1000)
    strain, rng = noise(40), np.random.default_rng(4)
    write_hdf5(tmp_path / "a.hdf", strain, compression="gzip" if options else None, **options)
    kept = keep(1 << 20)
    for begin, end in np.sort(rng.integers(0, len(strain) + 1, (50, 2)), axis=1):
        if begin < end:
            times = (START * S + gps.to_ns(int(edge), RATE) for edge in (begin, end))
            found = read(str(tmp_path / "a.hdf"), CHANNEL, *times, RATE)
            np.testing.assert_array_equal(found, strain[begin:end])
    assert len(set(kept.decoded)) == len(kept.decoded) > 1
