"""Frames whose checksum fits although a structure inside is damaged."""

import struct

import gwframe
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.ingest.errors import DataError
from transforms.ingest.messages import gwf_structure

HEADER = 40


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    path = tmp_path_factory.mktemp("frame") / "H-H1_X-1400000000-1.gwf"
    written = gwframe.Frame(start=1400000000.0, duration=1.0, name="H1")
    written.add_channel("H1:X", np.random.default_rng(0).normal(0, 1e-21, 256), 256)
    written.write(path)
    return path.read_bytes()


def structures(payload):
    at = HEADER
    while at < len(payload):
        (length,) = struct.unpack_from("<Q", payload, at)
        yield at, length
        at += length


def summed(payload):
    """Put the checksum of the whole right, as a damaged memory before the sending would."""
    return payload[:-4] + struct.pack("<I", gwf_structure.cksum(payload[:-4]))


@pytest.mark.parametrize(
    ("data", "expected"), [(b"", 4294967295), (b"123456789", 930766865), (b"\0" * 300, 351385237)]
)
def test_the_checksum_is_that_of_posix(data, expected):
    assert gwf_structure.cksum(data) == expected


def test_the_writer_s_own_checksum_is_the_same(frame):
    assert summed(frame) == frame


def test_sound_frames_pass(frame, data):
    gwf_structure.check(frame, "m")
    for path in data.glob("*.gwf"):
        gwf_structure.check(path.read_bytes(), str(path))


@given(st.data())
def test_damage_inside_is_found_though_the_whole_checksum_fits(frame, data):
    at, length = data.draw(st.sampled_from(list(structures(frame))[:-1]))
    place = data.draw(st.integers(at, at + length - 1))
    # The kind of checksum says whether there is one: what lacks it is for the library to judge.
    place += place == at + 8
    damaged = bytearray(frame)
    damaged[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DataError, match="damaged at byte"):
        gwf_structure.check(summed(bytes(damaged)), "m")


@pytest.mark.parametrize("length", [0, 13, 1 << 40, (1 << 64) - 1])
def test_a_length_that_cannot_be_ends_the_walk(frame, length):
    damaged = frame[:HEADER] + struct.pack("<Q", length) + frame[HEADER + 8 :]
    with pytest.raises(DataError, match="damaged at byte 40"):
        gwf_structure.check(summed(damaged), "m")


@pytest.mark.parametrize("length", [0, 4, 39, 40, 41, 60, 1000])
def test_what_is_cut_off_is_found(frame, length):
    with pytest.raises(DataError, match="truncated"):
        gwf_structure.check(frame[:length], "m")
