"""What comes on a topic: the same frames as from files, and a dead letter for all else."""

import hashlib
from dataclasses import replace
from pathlib import Path

import gwframe
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms import gps
from transforms.elements import DeadLetter, Frame, Interval
from transforms.ingest.config import FORMATS, IngestConfig
from transforms.ingest.files.formats import inspect, read
from transforms.ingest.intervals import clipped, merged
from transforms.ingest.messages import lldd, row
from transforms.ingest.messages.decoder import Decoder
from transforms.ingest.messages.encoder import encode, encode_gwf
from transforms.ingest.quality import CONSTANT, NOT_FINITE, settled

DATA = Path(__file__).parent / "data"
S = gps.NANOSECONDS
START = 1_400_000_000
SOURCE = "strain/0/17"
JUDGED = (NOT_FINITE, CONSTANT)
"""Gaps that inspection finds in the strain itself."""


def decoded(payload: bytes, **config: object) -> list[Frame | DeadLetter]:
    return Decoder(IngestConfig(**config)).feed(payload, SOURCE, 5)


def letter(payload: bytes, **config: object) -> str:
    """Return the reason why a message cannot be used."""
    (found,) = decoded(payload, **config)
    assert isinstance(found, DeadLetter)
    assert found.source == SOURCE
    assert found.checksum == hashlib.sha256(payload).hexdigest()
    assert "\n" not in found.reason
    assert found.reason.startswith(f"{SOURCE}: ")
    assert ";" in found.reason
    return found.reason


def noise(length: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1e-21, length)


def gwf(channels: dict[str, np.ndarray], start: float = START, seconds: float = 1) -> bytes:
    rates = {name: len(values) / seconds for name, values in channels.items()}
    return gwframe.write_bytes(channels, start, rates)


def made(ifo: str = "H1", **fields: object) -> Frame:
    channel, data = f"{ifo}:TEST-STRAIN", noise(4096).tobytes()
    return replace(
        Frame(
            ifo=ifo,
            channel=channel,
            sample_rate=4096,
            gps_start_ns=START * S,
            data=data,
            source=SOURCE,
        ),
        **fields,
    )


def assert_as_from_file(payload: bytes, folder: Path, **options: object) -> list[Frame]:
    """Compare what comes live with what inspection and reading find in a file."""
    (folder / "a.gwf").write_bytes(payload)
    path, config = str(folder / "a.gwf"), IngestConfig(**options)
    frames, spans = decoded(payload, **options), inspect(path, config)
    assert {frame.channel for frame in frames} == {span.channel for span in spans}
    for frame in frames:
        (span,) = (
            span
            for span in spans
            if span.channel == frame.channel
            and span.gps_start_ns <= frame.gps_start_ns
            and span.gps_end_ns >= frame.gps_end_ns
        )
        times = frame.gps_start_ns, frame.gps_end_ns
        assert (frame.ifo, frame.sample_rate) == (span.ifo, span.file_rate or span.sample_rate)
        assert (frame.source, frame.arrived_ns, frame.analysed) == (SOURCE, 5, False)
        np.testing.assert_array_equal(
            frame.samples, read(path, frame.channel, *times, frame.sample_rate)
        )
        sent = [item for item in settled(span.gaps, span.sample_rate) if item.name not in JUDGED]
        assert list(frame.gaps) == merged(clipped(sent, *times))
        assert list(frame.flags) == merged(clipped(span.flags, *times))
    return frames


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("HLV-HW100916-968654552-1.gwf", ["H1:LDAS-STRAIN", "L1:LDAS-STRAIN", "V1:h_16384Hz"]),
        ("H-H1_O2_llhoft-1216577976-4.gwf", ["H1:GDS-CALIB_STRAIN_O2Replay"]),
    ],
)
@pytest.mark.parametrize("kind", ["gwf", "lldd"])
def test_real_frames_are_what_they_are_in_files(name, channels, kind, tmp_path):
    payload = (DATA / name).read_bytes()
    frames = assert_as_from_file(payload, tmp_path)
    assert [frame.channel for frame in frames] == channels
    if kind == "lldd":
        decoder, messages = Decoder(IngestConfig()), lldd.split(payload, START)
        assert len(messages) > 3
        parts = [decoder.feed(item, f"strain/0/{17 + at}", 5) for at, item in enumerate(messages)]
        assert parts == [[]] * (len(messages) - 1) + [frames]


def test_state_and_masks_are_gaps_and_flags_as_in_files(tmp_path):
    state, quality = np.full(64, 3, np.uint32), np.array([127, 126, 95, 127], np.int32)
    state[16:24] = 1
    channels = {
        "H1:GWOSC_STRAIN": noise(4096 * 4),
        "H1:GWOSC_DQMASK": quality,
        "H1:GWOSC_INJMASK": np.array([31, 31, 30, 23], np.int32),
        "H1:GWOSC_STATE_VECTOR": state,
    }
    (frame,) = assert_as_from_file(gwf(channels, seconds=4), tmp_path)
    assert {item.name for item in frame.gaps} == {"DATA", "state vector"}
    assert {item.name for item in frame.flags} == {"BURST_CAT2", "CBC_HW_INJ", "CW_HW_INJ"}
    required = ("BURST_CAT2", "NO_CW_HW_INJ")
    (frame,) = assert_as_from_file(gwf(channels, seconds=4), tmp_path, require=required)
    assert {item.name for item in frame.gaps} == {*required, "state vector"}


def test_each_frame_of_a_message_is_as_from_a_file_with_its_own_state(tmp_path):
    with gwframe.FrameWriter(str(tmp_path / "several.gwf")) as writer:
        for number, start in enumerate((START, START + 1, START + 5)):
            frame = gwframe.Frame(start=float(start), duration=1.0, name="H1")
            strain = np.ma.MaskedArray(noise(4096, number), mask=number == 1)
            frame.add_channel("H1:STRAIN", strain, 4096, channel_type="adc")
            frame.add_channel("H1:STATE_VECTOR", np.full(16, 3 * (number < 2), np.uint32), 16)
            writer.write_frame(frame)
    frames = assert_as_from_file((tmp_path / "several.gwf").read_bytes(), tmp_path)
    assert [frame.gps_start_ns // S - START for frame in frames] == [0, 1, 5]
    assert [len(frame.gaps) for frame in frames] == [0, 0, 1]
    assert np.isnan(frames[1].samples).all()


@pytest.mark.parametrize("rate", [10000, 20000])
def test_rates_that_are_no_power_of_two_come_as_they_are(rate, tmp_path):
    (frame,) = assert_as_from_file(gwf({"V1:Hrec_hoft": noise(rate)}), tmp_path)
    assert frame.sample_rate == rate


def test_channels_asked_for_are_chosen_as_from_files(tmp_path):
    names = ("H1:STRAIN", "H1:STRAIN_CLEAN", "L1:STRAIN")
    payload = gwf({name: noise(4096, seed) for seed, name in enumerate(names)})
    assert "H1:STRAIN, H1:STRAIN_CLEAN; name one with --channel" in letter(payload)
    wanted = names[1:]
    assert len(assert_as_from_file(payload, tmp_path, channels=wanted)) == 2
    assert "no channel V1:X; it holds H1:STRAIN" in letter(payload, channels=("V1:X",))


def test_where_the_state_is_not_ready_no_strain_is_needed():
    ready, not_ready = np.full(16, 3, np.uint32), np.zeros(16, np.uint32)
    nothing = np.full(4096, np.nan)
    (frame,) = decoded(gwf({"H1:STRAIN": nothing, "H1:STATE_VECTOR": not_ready}))
    assert frame.gaps == (Interval(START * S, (START + 1) * S, "state vector"),)
    assert np.isnan(frame.samples).all()
    # A detector whose state comes alone is neither read for strain nor in the others' way.
    both = {"H1:STRAIN": noise(4096), "H1:STATE_VECTOR": ready, "L1:STATE_VECTOR": not_ready}
    assert [frame.ifo for frame in decoded(gwf(both))] == ["H1"]
    assert "no strain; it holds L1:STATE_VECTOR" in letter(gwf({"L1:STATE_VECTOR": not_ready}))


def test_what_is_not_finite_or_constant_is_left_to_be_judged_later():
    strain = np.zeros(4096)
    strain[5:9] = np.nan, np.inf, -np.inf, np.nan
    for kind in FORMATS:
        decoder = Decoder(IngestConfig())
        (frame,) = (
            frame
            for message in encode([made(data=strain.tobytes())], kind)
            for frame in decoder.feed(message, SOURCE, 5)
        )
        np.testing.assert_array_equal(frame.samples, strain)
        assert (frame.gaps, frame.flags) == ((), ())


sixteenths = st.tuples(st.integers(0, 15), st.integers(1, 16)).filter(lambda edge: sum(edge) <= 16)
checks = ("state vector", "DATA", "CBC_CAT2", "BURST_CAT3", "CBC_HW_INJ", "STOCH_HW_INJ")


@pytest.mark.slow
@given(st.lists(st.tuples(sixteenths, st.sampled_from(checks)), max_size=6), st.sampled_from("HLV"))
@settings(deadline=None)
def test_gaps_and_flags_survive_every_format(items, site):
    intervals = merged(
        Interval(START * S + begin * S // 16, START * S + (begin + length) * S // 16, name)
        for (begin, length), name in items
    )
    gaps = tuple(item for item in intervals if item.name in checks[:2])
    flags = tuple(item for item in intervals if item.name in checks[2:])
    frame = made(f"{site}1", gaps=gaps, flags=flags, arrived_ns=5)
    for kind in FORMATS:
        decoder = Decoder(IngestConfig())
        messages = encode([frame], kind)
        assert [item for message in messages for item in decoder.feed(message, SOURCE, 5)] == [
            frame
        ]


@given(st.integers(0, 2 * 16384 - 1), st.integers(1, 40), st.sampled_from([4096, 10000, 16384]))
@settings(deadline=None)
def test_a_frame_may_begin_and_end_at_any_sample(first, length, rate):
    start_ns = gps.to_ns(START * rate + first, rate)
    frame = made(sample_rate=rate, gps_start_ns=start_ns, data=noise(length).tobytes())
    for kind in FORMATS:
        found = [item for part in encode([frame], kind) for item in decoded(part)]
        assert found == [replace(frame, arrived_ns=5)]


@pytest.mark.parametrize("kind", FORMATS)
def test_frames_of_several_detectors_share_a_message_where_they_can(kind):
    frames = [made(ifo, arrived_ns=5) for ifo in ("H1", "L1")]
    messages, decoder = encode(frames, kind), Decoder(IngestConfig())
    assert len(messages) == {"gwf": 1, "lldd": 1, "row": 2}[kind]
    assert [item for part in messages for item in decoder.feed(part, SOURCE, 5)] == frames


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([made(), made()], "one strain a detector"),
        ([made(), made("L1", gps_start_ns=0)], "one stretch of time"),
        ([made(data=b"")], "holds samples"),
        ([made(flags=(Interval(0, 2**62, "SCATTERED_LIGHT"),))], "no bit that says SCATTERED"),
        ([made(gaps=(Interval(0, START * S + 7, "state vector"),))], "at most 256 Hz"),
        ([made(channel="V1:h", flags=(Interval(0, 2**62, "CBC_CAT2"),))], "no mask for V1:h"),
    ],
)
def test_what_has_no_place_in_a_frame_is_refused(frames, reason):
    with pytest.raises(ValueError, match=reason):
        encode_gwf(frames)
    with pytest.raises(ValueError, match="no format hdf5; use one of lldd, gwf, row"):
        encode([made()], "hdf5")


def test_a_row_is_held_to_what_is_asked_for():
    flag = Interval(START * S, (START + 1) * S, "BURST_CAT2")
    other = replace(flag, name="CW_HW_INJ")
    payload = row.encode(made(flags=(flag, other)))
    (frame,) = decoded(payload)
    assert (frame.gaps, frame.flags) == ((), (flag, other))
    (frame,) = decoded(payload, require=("BURST_CAT2", "NO_CW_HW_INJ"))
    assert (frame.gaps, frame.flags) == ((flag, replace(other, name="NO_CW_HW_INJ")), ())
    assert decoded(payload, channels=("H1:TEST-STRAIN",))[0].ifo == "H1"
    assert "it holds 'H1:TEST-STRAIN'; name this" in letter(payload, channels=("L1:TEST-STRAIN",))


def short() -> bytes:
    """Write a frame of two seconds that holds one."""
    frame = gwframe.Frame(start=float(START), duration=2.0)
    frame.add_channel("H1:STRAIN", noise(256), 256)
    return frame.write_bytes()


SHORT = short()
WHOLE = gwf({"H1:STRAIN": noise(256), "H1:STATE_VECTOR": np.full(16, 3, np.uint32)})


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "is empty; send frames only"),
        (b'{"status": "good"}', "is neither LLDD, GWF nor a row; send frames only"),
        (b"IGWD", "cannot be read as GWF, truncated or damaged; send it again"),
        (b"WROW", "truncated: 4 of at least 32 bytes"),
        (gwf({"STRAIN": noise(256)}), "no channel names its detector"),
        (gwf({"H1:STRAIN": noise(256)}, seconds=3), "no sample rate"),
        (gwf({"H1:STRAIN": noise(256)}, start=START + 1 / 512), "do not lie on the GPS grid"),
        (SHORT, "256 samples of H1:STRAIN at 1400000000.0 s where the frame promises 2.0 s"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_used_is_a_dead_letter(payload, reason):
    assert reason in letter(payload)


@given(st.integers(4, len(WHOLE) - 1))
@settings(deadline=None)
def test_a_frame_cut_short_is_a_dead_letter(length):
    assert "truncated or damaged" in letter(WHOLE[:length])


@given(st.integers(4, len(WHOLE) - 1), st.integers(0, 7))
@settings(deadline=None)
def test_a_frame_with_a_flipped_bit_is_a_dead_letter(place, bit):
    payload = bytearray(WHOLE)
    payload[place] ^= 1 << bit
    assert "truncated or damaged" in letter(bytes(payload))


@given(st.binary(max_size=200), st.sampled_from([b"", b"PART,", b"IGWD", b"WROW", b"WROW\1\0"]))
@settings(deadline=None)
def test_bytes_of_any_kind_are_dead_letters(payload, start):
    assert letter(start + payload)


def test_a_stream_goes_on_after_what_cannot_be_used():
    frames = [made(gps_start_ns=(START + number) * S) for number in range(4)]
    messages = [encode([frame], kind)[0] for frame, kind in zip(frames[:3], FORMATS, strict=True)]
    first, *rest = lldd.split(encode_gwf(frames[3:]), START + 3, 10_000)
    order = [messages[0], first, b"noise", messages[1], rest[0], rest[0][:-1], messages[2], *rest]
    decoder, found, pending = Decoder(IngestConfig()), [], []
    for offset, message in enumerate(order):
        found += decoder.feed(message, f"t/0/{offset}", offset)
        pending.append(decoder.pending)
    assert [item.source for item in found] == [f"t/0/{at}" for at in (0, 2, 3, 5, 6, 1)]
    assert [item.gps_start_ns // S - START for item in found if isinstance(item, Frame)] == [
        *range(4)
    ]
    assert found[-1].arrived_ns == len(order) - 1
    assert pending == [None, *["t/0/1"] * (len(order) - 2), None]
