"""Messages made to do harm, from the first byte to the blocks: each ends as its own dead letter."""

import itertools
import re
import string
import struct
import zlib
from dataclasses import replace

import gwframe
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from beam_pipeline.config import PipelineConfig
from beam_pipeline.graph import margin_ns, stitching
from transforms import gps
from transforms.classify.features import model_input
from transforms.detect.bank import bank_for
from transforms.detect.cluster import cluster
from transforms.detect.search import search
from transforms.detect.sessions import Sessions
from transforms.elements import Block, DeadLetter, Frame, Interval, Segment
from transforms.ingest.config import IngestConfig
from transforms.ingest.kafka.crashes import Marks
from transforms.ingest.kafka.guarded import Guarded
from transforms.ingest.messages import gwf_structure, lldd, row
from transforms.ingest.messages.decoder import Decoder
from transforms.ingest.reach import Reach
from transforms.ingest.stitch.stitcher import StitchConfig, Stitcher
from transforms.ingest.strain.frame_checks import CheckedFrames
from transforms.kinds import LetterKind
from transforms.whiten.config import WhitenConfig
from transforms.whiten.whitening import whiten

S = gps.NANOSECONDS
START = 1_000_000_000
CONFIG = StitchConfig(
    reach=Reach(past_ns=20 * S, future_ns=2 * S, warm_up_ns=4 * S),
    certain_ns=S,
    minimum_ns=4 * S,
    wait_ns=3 * S,
)
SAFE = re.compile(r"[A-Z][0-9]:[^\s/\\\"'<>]{1,252}")


@pytest.fixture(scope="module")
def marks(tmp_path_factory):
    made = Marks("hostile", tmp_path_factory.mktemp("marks"))
    yield made
    made.close()


def analysed(payloads, marks):
    """Take messages as far as to blocks, and check all that comes of them."""
    decoder = Guarded(CheckedFrames(Decoder(IngestConfig())), marks)
    stitchers, letters = {}, []
    for offset, payload in enumerate(payloads):
        for item in decoder.feed(payload, f"t/0/{offset}", 1):
            if isinstance(item, DeadLetter):
                letters.append(item)
                continue
            assert SAFE.fullmatch(item.channel)
            assert item.ifo == item.channel[:2]
            stitcher = stitchers.setdefault(item.channel, Stitcher(CONFIG))
            for given_ in stitcher.feed(item):
                check(given_, letters)
            size = len(stitcher.state.to_bytes()) if stitcher.state else 0
            assert size < 700_000
            assert stitcher.state is None or len(stitcher.state.waiting) <= 1025
    for letter in letters:
        assert letter.reason.isprintable()
        assert len(letter.reason) < 1000
        assert letter.reason.startswith("t/0/")
        assert "cannot be read: " not in letter.reason  # that is what nobody thought of
    return stitchers, letters


def check(given_, letters):
    if isinstance(given_, DeadLetter):
        letters.append(given_)
    elif isinstance(given_, Segment):
        assert given_.start_ns < given_.end_ns
        assert given_.reason.isprintable()
        assert not given_.analysed
    else:
        assert isinstance(given_, Block)
        assert (np.abs(given_.samples) <= 1e30).all()
        assert given_.segment_start_ns <= given_.analyse_start_ns < given_.analyse_end_ns
        assert given_.analyse_end_ns <= given_.segment_end_ns
        assert all(item.start_ns < item.end_ns for item in given_.flags)


odd_text = st.one_of(
    st.text(max_size=40),
    st.text("./\\<>\"'&;:%{}$`\n\0\u202e" + string.ascii_letters, max_size=40),
    st.sampled_from(["", "H1", "..", "H1:../../x", "H1:" + "X" * 300, "state vector", "constant"]),
)
odd_times = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(START * S - 9 * S, START * S + 30 * S),
    st.integers(START - 2, START + 30).map(lambda second: second * S),
)
odd_intervals = st.lists(st.builds(Interval, odd_times, odd_times, odd_text), max_size=4)
odd_samples = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True, width=64),
    st.sampled_from([0.0, 1e-21, 1.7e308, -0.0, 5e-324, float("nan")]),
)


def packed(frame, **fields):
    """Write a row that checks nothing, and its fields anew."""
    payload = row.encode(frame)
    order = "magic", "version", "width", "bytes", "start_ns", "rate", "count", "gaps", "flags"
    values = dict(zip(order, struct.unpack_from("<4sHHIqIIHH", payload), strict=True)) | fields
    body = struct.pack("<4sHHIqIIHH", *values.values()) + payload[32:-4]
    return body + struct.pack("<I", zlib.crc32(body))


@st.composite
def odd_rows(draw):
    fields = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "version": st.integers(0, 3),
                "width": st.sampled_from([0, 1, 4, 8, 65535]),
                "bytes": st.integers(0, 2**32 - 1),
                "start_ns": odd_times,
                "rate": st.one_of(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 16, 1 << 20])),
                "count": st.one_of(st.integers(0, 2**32 - 1), st.integers(0, 9)),
                "gaps": st.integers(0, 65535),
                "flags": st.integers(0, 65535),
            },
        )
    )
    frame = Frame(
        ifo=draw(st.one_of(st.just("H1"), odd_text)),
        channel=draw(st.one_of(st.just("H1:X"), odd_text, odd_text.map("H1:{}".format))),
        sample_rate=16,
        gps_start_ns=draw(odd_times),
        data=np.array(draw(st.lists(odd_samples, max_size=20)), np.float64).tobytes(),
        gaps=tuple(draw(odd_intervals)),
        flags=tuple(draw(odd_intervals)),
    )
    return packed(frame, **fields)


@given(st.lists(odd_rows(), max_size=6))
def test_rows_of_any_content_are_frames_or_dead_letters(marks, payloads):
    analysed(payloads, marks)


@st.composite
def odd_streams(draw):
    """Rows that decode, of one channel, whose content and order are anything."""
    frames = []
    for _ in range(draw(st.integers(1, 25))):
        rate = draw(st.sampled_from([1, 2, 16, 64, 64, 64, 1024]))
        start = draw(st.integers(0, 20 * rate))
        length = draw(st.integers(0, 9 * rate))
        start_ns = gps.to_ns(START * rate + start, rate)
        samples = np.random.default_rng(start).standard_normal(length)
        for low, value in draw(st.lists(st.tuples(st.floats(0, 1), odd_samples), max_size=3)):
            at = int(low * length)
            samples[at : at + draw(st.integers(1, 2 * rate))] = value
        name = st.sampled_from(["DATA", "state vector", "not finite", "constant", "no data", "x"])
        inside = st.integers(start_ns - 5 * S, start_ns + 15 * S)
        intervals = st.builds(
            lambda begin, more, name: Interval(begin, begin + more, name),
            inside, st.integers(1, 9 * S), name,
        )  # fmt: skip
        gaps, flags = (tuple(draw(st.lists(intervals, max_size=3))) for _ in range(2))
        frames.append(
            Frame(
                ifo="H1",
                channel="H1:X",
                sample_rate=rate,
                gps_start_ns=start_ns,
                data=samples.tobytes(),
                gaps=gaps,
                flags=flags,
            )
        )
    return frames


@given(odd_streams())
def test_streams_in_any_order_at_any_rate_give_good_blocks_each_time_once(marks, frames):
    stitchers, _ = analysed([row.encode(frame) for frame in frames], marks)
    for stitcher in stitchers.values():
        head = stitcher.state
        assert head is None or head.kept_ns <= head.done_ns <= head.end_ns


@given(odd_streams(), st.randoms(use_true_random=False))
def test_each_time_is_told_of_once_and_a_restart_changes_nothing(frames, random_):
    plain, broken, told, kept = Stitcher(CONFIG), Stitcher(CONFIG), [], []
    for frame in [*frames, replace(frames[0], data=b"")]:
        given_ = list(plain.feed(frame))
        assert list(broken.feed(frame)) == given_
        told += [g for g in given_ if not isinstance(g, DeadLetter)]
        kept = [] if broken.forgot else kept
        kept += broken.placed
        if broken.state is not None and random_.random() < 0.5:
            head = type(broken.state).from_bytes(broken.state.to_bytes(), broken.state.waiting)
            assert head == broken.state
            broken = Stitcher(CONFIG, head)
            for old in kept:
                if head.kept_ns < old.gps_end_ns <= head.end_ns:
                    broken.restore(old)
    spans = [
        (g.analyse_start_ns, g.analyse_end_ns) if isinstance(g, Block) else (g.start_ns, g.end_ns)
        for g in told
    ]
    assert all(one[1] == other[0] for one, other in itertools.pairwise(spans))
    assert not spans or spans[-1][1] == plain.state.end_ns


@pytest.mark.parametrize("value", [1e31, -1e40, 1e100, 1e155, -1.7e308, np.inf])
def test_samples_too_large_for_any_spectrum_are_a_gap(value):
    samples = np.random.default_rng(1).standard_normal(30 * 64) * 1e-21
    samples[15 * 64 + 3] = value
    samples[22 * 64] = 1e29
    stitcher, given_ = Stitcher(CONFIG), []
    for second, part in enumerate(samples.reshape(30, 64)):
        frame = Frame(
            ifo="H1",
            channel="H1:X",
            sample_rate=64,
            gps_start_ns=(START + second) * S,
            data=part.tobytes(),
        )
        given_ += stitcher.feed(frame)
    (gap,) = [g for g in given_ if isinstance(g, Segment)]
    begin = (START + 15) * 64 + 3
    assert (gap.start_ns, gap.end_ns) == (gps.to_ns(begin, 64), gps.to_ns(begin + 1, 64))
    assert gap.reason == "not finite"
    assert given_[-1].analyse_end_ns == (START + 28) * S


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e-38, 1.0, 1e28])
def test_strain_of_any_size_is_searched(scale):
    """What is not a gap is defined in every stage behind."""
    science, rate = PipelineConfig(), 1024
    bank = bank_for(rate, science.detect, science.whiten.low_frequency)
    samples = np.random.default_rng(1).standard_normal(80 * rate) * scale
    samples[40 * rate] *= 100
    ends = START * S, (START + 80) * S
    block = Block(
        ifo="H1",
        channel="H1:X",
        sample_rate=rate,
        gps_start_ns=ends[0],
        data=samples.tobytes(),
        segment_start_ns=ends[0],
        segment_end_ns=ends[1],
        analyse_start_ns=ends[0],
        analyse_end_ns=ends[1],
    )
    white = whiten(block, science.whiten, margin_ns(science))
    found = search(white, science.detect, bank)
    assert np.isfinite(white.samples).all()
    assert bool(found) == (scale > 1e-150)
    assert all(np.isfinite([one.snr, one.rank, one.amplitude]).all() for one in found)


ANY = np.random.default_rng(2).standard_normal(44 * 1024)
ODD = {
    "one sample in noise": lambda x, at: np.where(at == 20.5, 1.0, 1e-21 * x),
    "the largest sample in noise": lambda x, at: np.where(at == 20.5, 1e30, 1e-21 * x),
    "the largest sample in the smallest noise": lambda x, at: np.where(
        at == 20.5, 1e30, 5e-322 * x
    ),
    "one at the start": lambda x, at: np.where(at == 0.5, 1e30, 5e-322 * x),
    "one each 7 s": lambda x, at: np.where(at % 7 == 0.25, 1e30, 1e-21 * x),
    "the largest that alternate": lambda x, at: 1e30 * (-1.0) ** np.arange(len(x)),
    "a step of noise": lambda x, at: np.where(at > 22, 1.0, 1e-9) * x,
    "noise in 4 of 8 s": lambda x, at: np.where(at % 8 < 4, x, 1e-300 * np.sign(x)),
    "noise that grows": lambda x, at: np.exp(np.minimum(3 * at, 60)) * x,
    "from the least to the most": lambda x, at: 10 ** np.minimum(-300 + 7.5 * at, 29) * x,
    "noise that dies": lambda x, at: np.exp(-3 * np.minimum(at, 60)) * x,
    "a drift without noise, then noise": lambda x, at: (
        1e-25 * np.exp(at / 8) + np.where(at > 12, 1e-21 * np.minimum(at - 12, 5), 1e-35) * x
    ),
    "far from 0": lambda x, at: 1e10 + 1e-3 * x,
    "a ramp": lambda x, at: 1e28 * at,
    "a line": lambda x, at: 1e20 * np.sin(2 * np.pi * 60 * at),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rate", [64, 1024])
@pytest.mark.parametrize("which", ODD)
def test_whatever_stitching_takes_every_stage_defines(which, rate):
    science = PipelineConfig(whiten=WhitenConfig(psd_seconds=16, update_seconds=16))
    x, at = ANY[: 44 * rate], np.arange(44 * rate) / rate
    samples = ODD[which](x, at)
    stitcher, bank = Stitcher(stitching(science)), bank_for(rate, science.detect, 16.0)
    ends = Frame(ifo="H1", channel="H1:X", sample_rate=rate, gps_start_ns=0, data=b"")
    parts = [
        Frame(
            ifo="H1",
            channel="H1:X",
            sample_rate=rate,
            gps_start_ns=(START + second) * S,
            data=part.tobytes(),
        )
        for second, part in enumerate(samples.reshape(-1, rate))
    ]
    blocks = [g for f in (*parts, ends) for g in stitcher.feed(f) if isinstance(g, Block)]
    assert blocks
    found = []
    for block in blocks:
        white = whiten(block, science.whiten, margin_ns(science))
        for values in (white.samples, white.asd_array, white.response_array):
            assert np.isfinite(values).all()
        found += search(white, science.detect, bank)
    for session in Sessions.of(science.detect).group(found):
        trigger = cluster(session.candidates, science.id)
        numbers = [v for k, v in vars(trigger).items() if isinstance(v, float) and k != "score"]
        assert np.isfinite(numbers).all()
        assert np.isfinite(trigger.snippet_array).all()
        assert np.isfinite(np.frombuffer(trigger.wdf_value, np.float32)).all()
        assert np.isfinite(model_input(trigger).image).all()


def test_a_frame_without_samples_does_not_end_its_channel_s_stretch(marks):
    """Inside, that is how the reader says that a channel has ended."""
    empty = gwframe.write_bytes({"H1:STRAIN": np.empty(0)}, START, {"H1:STRAIN": 256.0})
    row_ = row.encode(
        Frame(ifo="H1", channel="H1:STRAIN", sample_rate=256, gps_start_ns=START * S, data=b"")
    )
    stitchers, letters = analysed([GWF, empty, row_], marks)
    assert [letter.kind for letter in letters] == [LetterKind.METADATA] * 2
    assert not stitchers["H1:STRAIN"].state.over


def gwf():
    strain = np.random.default_rng(1).normal(0, 1e-21, 256)
    channels = {"H1:STRAIN": strain, "H1:STATE_VECTOR": np.full(16, 3, np.uint32)}
    return gwframe.write_bytes(channels, START, {"H1:STRAIN": 256.0, "H1:STATE_VECTOR": 16.0})


GWF = gwf()


@given(
    st.lists(st.tuples(st.integers(0, len(GWF) - 1), st.integers(0, 255)), min_size=1, max_size=9),
    st.integers(0, len(GWF)),
)
def test_frames_with_bytes_changed_are_dead_letters(marks, changes, cut):
    payload = bytearray(GWF)
    for place, value in changes:
        payload[place] = value
    for message in (bytes(payload), bytes(payload[:cut])):
        stitchers, letters = analysed([message], marks)
        assert bool(letters) == (message != GWF)
        assert bool(stitchers) == (message == GWF)


def structures(payload):
    at = 40
    while at < len(payload):
        yield at
        at += int.from_bytes(payload[at : at + 8], "little")


STRUCTURES = tuple(structures(GWF))


@example(changes=[(STRUCTURES[1] + 8, 0)])
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(GWF) - 5), st.integers(0, 255)), min_size=1, max_size=3
    ),
)
def test_frames_damaged_on_purpose_whose_checksum_fits_are_dead_letters(marks, changes):
    payload = bytearray(GWF)
    for place, value in changes:
        payload[place] = value
    same = payload == GWF
    payload[-4:] = gwf_structure.cksum(bytes(payload[:-4])).to_bytes(4, "little")
    stitchers, letters = analysed([bytes(payload)], marks)
    inside = bytes(payload[40:-4]) != GWF[40:-4]
    # A structure may say that it has no checksum; then it is for the library to judge.
    unsummed = any(payload[at + 8] != GWF[at + 8] for at in STRUCTURES)
    assert letters if inside and not unsummed else letters or stitchers
    assert not (same and letters)


numbers = st.one_of(st.integers(0, 10**18), st.integers(0, 4), st.sampled_from([1000, 300]))


@given(
    st.lists(
        st.tuples(
            st.fixed_dictionaries(
                {},
                optional=dict.fromkeys(lldd.Header.__dataclass_fields__, numbers),
            ),
            st.binary(max_size=30),
            st.sampled_from([b"\0", b"", b"\0\0", b",", b"\xff"]),
        ),
        max_size=12,
    )
)
def test_parts_with_any_header_are_dead_letters_and_others_come(marks, parts):
    messages = [
        b"PART,"
        + b",".join(f"{name}={value}".encode() for name, value in fields.items())
        + end
        + chunk
        for fields, chunk, end in parts
    ]
    good = row.encode(
        Frame(ifo="H1", channel="H1:X", sample_rate=16, gps_start_ns=START * S, data=bytes(128))
    )
    stitchers, _ = analysed([*messages, good], marks)
    assert list(stitchers) == ["H1:X"]
