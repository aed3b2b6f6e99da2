"""Times on the sample grid, and elements that travel unchanged."""

import pickle
from dataclasses import is_dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import samples
from tests.samples import candidate
from transforms import coders, elements, gps
from transforms.kinds import LetterKind, SegmentKind

RATES = st.sampled_from([256, 1024, 4096, 16384, 65536])


@given(st.integers(0, 2**31 * 16384), RATES)
def test_an_index_survives_rounding_to_nanoseconds(index, rate):
    assert gps.to_index(gps.to_ns(index, rate), rate) == index


@given(st.integers(0, 2 * 10**18), st.integers(0, 2 * 10**18))
def test_event_time_keeps_the_order(a, b):
    if a <= b:
        assert gps.to_event_micros(a) <= gps.to_event_micros(b)


def test_event_time_is_unix_time_but_for_leap_seconds():
    # GW150914: 2015-09-14T09:50:45 UTC, Unix 1442224245, 17 leap seconds after 1980.
    assert gps.to_event_micros(1126259462 * gps.NANOSECONDS) == (1442224245 + 17) * 10**6


CANDIDATE = candidate(
    5, 7.5, before=1, after=1, snr=7.0, phase=0.1, tiles=3, dq=("A",), injections=("CW_HW_INJ",)
)
TRIGGER = replace(samples.TRIGGER, status="settled", arrived_ns=8)
PROGRESS = elements.Progress(
    channel="H1:X", final_ns=9, ifo="H1", start_ns=5, end_ns=6, triggers=("a", "b")
)
ARRIVAL = elements.Arrival(
    id="a",
    ifo="H1",
    channel="H1:X",
    time_ns=5,
    start_ns=4,
    end_ns=6,
    frequency=100.0,
    low_frequency=90.0,
    high_frequency=110.0,
    bandwidth=20.0,
    duration=0.1,
    q=5.0,
    snr=8.0,
    rank=7.5,
    amplitude=1e-22,
    label="blip",
    score=0.9,
    probabilities=(("blip", 0.9), ("cbc", 0.1)),
    dq=("x",),
    injections=(),
    config="c",
    model="m",
    waveform=np.arange(4, dtype=np.float32).tobytes(),
    waveform_rate=2048,
    waveform_start_ns=3,
)
EVENT = elements.Event(
    id="E5",
    time_ns=5,
    detectors=("H1", "L1"),
    triggers=(ARRIVAL, ARRIVAL),
    snr=12.0,
    rank=3.0,
    rank_unlabelled=2.0,
    correlation=-0.5,
    delay_ns=7,
    pair="H1L1",
    label="blip",
    score=0.99,
    config="r",
    far=1e-5,
    far_livetime_ns=8,
    far_louder=1,
    far_method="slides",
)
SAMPLES = {
    elements.Span: elements.Span(
        path="a.gwf",
        ifo="H1",
        channel="H1:X",
        gps_start_ns=1,
        gps_end_ns=2,
        sample_rate=4096,
        gaps=(elements.Interval(1, 2, "DATA"),),
        flags=(),
    ),
    elements.BlockPlan: elements.BlockPlan(
        ifo="H1",
        channel="H1:X",
        sample_rate=4096,
        segment_start_ns=0,
        segment_end_ns=9,
        analyse_start_ns=1,
        analyse_end_ns=2,
        pieces=(elements.Piece(path="a", start_ns=0, end_ns=9),),
        flags=(),
    ),
    elements.Frame: elements.Frame(
        ifo="H1",
        channel="H1:X",
        sample_rate=2,
        gps_start_ns=5 * 10**9,
        data=np.arange(4.0).tobytes(),
        gaps=(elements.Interval(1, 2, "DATA"),),
        flags=(elements.Interval(1, 2, "x"),),
        source="frames/0/7",
        arrived_ns=9,
        analysed=True,
    ),
    elements.Block: elements.Block(
        ifo="H1",
        channel="H1:X",
        sample_rate=2,
        gps_start_ns=0,
        data=np.arange(4.0).tobytes(),
        segment_start_ns=0,
        segment_end_ns=9,
        analyse_start_ns=1,
        analyse_end_ns=2,
        flags=(elements.Interval(1, 2, "x"),),
    ),
    elements.SearchResult: elements.SearchResult(
        channel="H1:X", start_ns=5, end_ns=6, known_ns=4, arrived_ns=7, candidates=(CANDIDATE,)
    ),
    elements.PendingClusters: elements.PendingClusters(
        since_ns=5, searched_ns=6, candidates=(CANDIDATE,), published=(TRIGGER,)
    ),
    elements.Segment: elements.Segment(
        ifo="H1", channel="H1:X", start_ns=0, end_ns=9, analysed=False, reason="no data"
    ),
    elements.DeadLetter: elements.DeadLetter(source="a.gwf", reason="a.gwf: empty", checksum="00"),
    elements.Trigger: TRIGGER,
    elements.Progress: PROGRESS,
    elements.Arrival: ARRIVAL,
    elements.Event: EVENT,
    elements.Told: elements.Told(arrivals=(ARRIVAL,), progress=(PROGRESS,)),
    elements.PastHours: elements.PastHours(
        hours=(elements.BackgroundHour(hour=5, triggers=(b"a",), slides=(b"b", b"c")),)
    ),
    elements.NetworkState: elements.NetworkState(
        started_ns=1,
        channels=(
            elements.ChannelState(
                channel="H1:X",
                ifo="H1",
                final_ns=3,
                held_ns=2,
                missing=("a",),
                searched=(elements.Stretch(start_ns=1, end_ns=2),),
            ),
        ),
        waiting=(ARRIVAL,),
        published=(EVENT,),
    ),
}


@pytest.mark.parametrize("element", SAMPLES.values(), ids=lambda e: type(e).__name__)
def test_elements_travel_unchanged(element):
    coder = getattr(coders, f"{type(element).__name__}Coder")()
    encoded = coder.encode(element)
    assert coder.decode(encoded) == element
    assert coder.encode(element) == encoded
    assert coder.is_deterministic()
    assert pickle.loads(pickle.dumps(coder)).decode(encoded) == element


def test_kinds_travel_as_kinds():
    letter = elements.DeadLetter(
        source="a.gwf", reason="a.gwf: empty", checksum="00", kind=LetterKind.ACCESS
    )
    gap = elements.Interval(1, 2, "constant", 0.5)
    frame = replace(SAMPLES[elements.Frame], gaps=(gap,))
    for element in (letter, frame):
        coder = getattr(coders, f"{type(element).__name__}Coder")()
        decoded = coder.decode(coder.encode(element))
        assert decoded == element
    assert coder.decode(coder.encode(frame)).gaps[0].kind is SegmentKind.CONSTANT


@pytest.mark.parametrize(
    ("name", "injected"),
    [
        *((f"{kind}_HW_INJ", True) for kind in ("CBC", "BURST", "DETCHAR", "CW", "STOCH")),
        *((name, False) for name in ("BURST_CAT2", "DATA", "INJ", "HW_INJ_OFF", "")),
    ],
)
def test_hardware_injections_are_told_from_other_flags_by_name(name, injected):
    assert elements.Interval(0, 1, name).is_injection is injected


def test_bytes_of_another_version_are_refused():
    coder = coders.DeadLetterCoder()
    old = coders._FIELDS.encode((coders.VERSION - 1, "a.gwf", "a.gwf: empty", "00"))
    with pytest.raises(ValueError, match="DeadLetter of version"):
        coder.decode(old)


def test_a_frame_ends_with_its_last_sample():
    frame = SAMPLES[elements.Frame]
    assert frame.gps_end_ns == 7 * 10**9
    assert frame.samples.tolist() == [0, 1, 2, 3]


def test_a_block_s_size_is_told_without_encoding_it(monkeypatch):
    strain = np.zeros(4096).tobytes()
    block = elements.Block(
        ifo="H1",
        channel="H1:X",
        sample_rate=16,
        gps_start_ns=0,
        data=strain,
        segment_start_ns=0,
        segment_end_ns=256,
        analyse_start_ns=0,
        analyse_end_ns=256,
    )
    coder = coders.BlockCoder()
    encoded = len(coder.encode(block))
    monkeypatch.setattr(coders.BlockCoder, "encode", None)
    assert coder.get_impl().estimate_size(block) == pytest.approx(encoded, rel=0.01)


def test_every_element_has_a_coder():
    parts = {elements.Interval, elements.Piece, elements.ChannelState, elements.Stretch}
    made = [c for c in vars(elements).values() if is_dataclass(c) and c not in parts]
    assert len(made) >= 8
    for element in made:
        assert element.__dataclass_params__.frozen
        assert hasattr(coders, f"{element.__name__}Coder"), element


def test_arrays_are_views_of_the_bytes():
    block = SAMPLES[elements.Block]
    np.testing.assert_array_equal(block.samples, np.arange(4.0))
    assert not block.samples.flags.writeable
