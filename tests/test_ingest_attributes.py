"""What files say of themselves: read where the meaning is plain, else a line; never the end."""

import math
from collections.abc import Iterator
from pathlib import Path

import gwframe
import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms import gps
from transforms.elements import DeadLetter, Span
from transforms.ingest.config import IngestConfig
from transforms.ingest.files.formats import examine, read_native
from transforms.ingest.files.stage import InspectFile
from transforms.ingest.names import is_channel
from transforms.ingest.sampling import FASTEST, LATEST
from transforms.kinds import LetterKind

S = gps.NANOSECONDS
RATE = 256
NOISE = np.random.default_rng(1).normal(0, 1e-21, RATE)


def write(path: Path, key: str, strain: object = NOISE, **attrs: object) -> Path:
    """Write one data set, with `x0` and `dx` unless told otherwise."""
    with h5py.File(path, "a") as file:
        dataset = file.create_dataset(key, data=strain)
        for name, value in {"x0": 1000.0, "dx": 1 / RATE, **attrs}.items():
            if value is not None:
                dataset.attrs[name] = value
    return path


def inspected(path: Path | str) -> tuple[list[Span], list[DeadLetter]]:
    """Return the spans of a file and its dead letters, seen to be sound."""
    spans: list[Span] = []
    letters: list[DeadLetter] = []
    for one in InspectFile(IngestConfig()).process(str(path)):
        if isinstance(one, Span):
            spans.append(one)
        elif isinstance(one.value, DeadLetter):
            letters.append(one.value)
    for span in spans:
        assert 0 <= span.gps_start_ns < span.gps_end_ns <= LATEST * S
        assert 1 <= (span.file_rate or span.sample_rate) <= FASTEST
        assert is_channel(span.channel)
    for letter in letters:
        assert letter.reason.isprintable()
        assert letter.source.isprintable()
        letter.reason.encode()
    assert spans or letters
    return spans, letters


def only(path: Path) -> Span:
    spans, letters = inspected(path)
    assert letters == []
    (span,) = spans
    return span


def refused(path: Path) -> DeadLetter:
    spans, letters = inspected(path)
    assert spans == []
    (letter,) = letters
    assert letter.reason.startswith(f"{path}: ")
    return letter


@pytest.mark.parametrize(
    "attrs",
    [
        {"x0": np.array([1000.0])},
        {"x0": np.array([[1000]], np.int32)},
        {"x0": b"1000"},
        {"x0": "1000 s"},
        {"x0": np.array([b"1000.0"])},
        {"x0": "1e3", "dx": "0.00390625 s"},
        {"x0": 1000, "dx": " 3.90625 ms "},
        {"x0": np.float16(1000), "dx": np.float16(1 / 256)},
        {"x0": 1000 * 10**9, "dx": 1e9 / 256, "xunit": "ns"},
        {"x0": 1000e3, "dx": 1e3 / 256, "xunit": b"ms"},
        {"x0": 1000, "xunit": "seconds"},
        {"dx": None, "sample_rate": 256},
        {"dx": None, "sample_rate": "256 Hz"},
        {"dx": None, "sample_rate": "0.256 kHz"},
    ],
    ids=str,
)
def test_a_plain_meaning_is_read(tmp_path, attrs):
    span = only(write(tmp_path / "a.h5", "H1:X-STRAIN", **attrs))
    assert (span.gps_start_ns, span.gps_end_ns, span.sample_rate) == (1000 * S, 1001 * S, RATE)


@pytest.mark.parametrize("name", ["x0", "dx"])
@pytest.mark.parametrize(
    "value",
    [
        math.nan, math.inf, -math.inf, 1e300, 1e-320, -1.0, [1, 2], [], "soon", "", b"\xff\xfe",
        "1000 furlongs", "1000 Hz", "nan", "1e400", "9" * 5000, True, 1 + 2j, h5py.Empty("f8"),
        np.array(["1", "2"], dtype=object), 1.4e18, 10_000_000_001,
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(tmp_path, name, value):
    letter = refused(write(tmp_path / "a.h5", "H1:X-STRAIN", **{name: value}))
    assert letter.kind in (LetterKind.METADATA, LetterKind.RATE)


@pytest.mark.parametrize(
    ("rate", "taken"), [(1, True), (1 << 20, True), (1 << 21, False), (0.5, False), (1e9, False)]
)
def test_rates_have_bounds(tmp_path, rate, taken):
    path = write(tmp_path / "a.h5", "H1:X-STRAIN", dx=1 / rate)
    if taken:
        assert only(path).sample_rate == rate
    else:
        assert refused(path).kind is LetterKind.RATE


@pytest.mark.parametrize("unit", ["ns", "us", "Hz", "furlong"])
def test_a_spacing_that_its_unit_makes_impossible_is_refused(tmp_path, unit):
    refused(write(tmp_path / "a.h5", "H1:X-STRAIN", xunit=unit))


KINDS = ["f2", "f4", ">f4", ">f8", "i2", ">i4", "u8", "i8"]


@pytest.mark.parametrize("kind", KINDS)
def test_real_numbers_of_any_kind_are_strain(tmp_path, kind):
    values = np.random.default_rng(2).integers(1, 100, RATE).astype(kind)
    path = write(tmp_path / "a.h5", "H1:X-STRAIN", values)
    span = only(path)
    read, _ = read_native(str(path), span.channel, span.gps_start_ns, span.gps_end_ns)
    assert read.dtype == np.float64
    np.testing.assert_array_equal(read, values.astype(np.float64))


@pytest.mark.parametrize(
    "values",
    [NOISE.astype("c16"), NOISE.reshape(2, -1), [b"a"] * 9, NOISE[:0], np.float64(1), NOISE > 0],
    ids=["complex", "two dimensions", "text", "none", "one number", "bool"],
)
@pytest.mark.parametrize("key", ["H1:X-STRAIN", "strain/Strain"])
def test_what_is_no_row_of_real_numbers_is_refused(tmp_path, values, key):
    attrs = {"Xstart": 1000.0, "Xspacing": 1 / RATE} if "/" in key else {}
    refused(write(tmp_path / "H-H1_X-1000-1.h5", key, values, **attrs))


def test_samples_that_were_never_written_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("H1:X-STRAIN", (10**11,), "f8", chunks=(10**6,))
        dataset.attrs.update({"x0": 1000.0, "dx": 1 / 16384})
    assert "none was written" in refused(tmp_path / "a.h5").reason


def test_one_bad_channel_does_not_cost_the_others(tmp_path):
    path = write(tmp_path / "a.h5", "H1:X-STRAIN")
    write(path, "L1:X-STRAIN", x0=math.nan)
    write(path, "V1:X-STRAIN", np.full(RATE, np.nan))
    spans, letters = inspected(path)
    assert [span.channel for span in spans] == ["H1:X-STRAIN"]
    assert [letter.kind for letter in letters] == [LetterKind.METADATA, LetterKind.DAMAGED]


@pytest.mark.parametrize(
    "name", ["evil/../x", "a b", "naïve", "<b>", "x" * 300, 'q"', "{x}", "n\nl"]
)
def test_names_that_are_no_channel_are_refused(tmp_path, name):
    """Neither a key nor an attribute makes a name of it; the key alone is not enough."""
    path = tmp_path / "a.h5"
    write(path, "H1: strain", name=f"H1:{name}")
    assert refused(path).kind is LetterKind.CHANNEL
    frame = gwframe.Frame(start=1000.0, duration=1.0, name="H1")
    frame.add_channel(f"H1:STRAIN{name}", NOISE, sample_rate=RATE)
    frame.write(str(tmp_path / "a.gwf"))
    assert refused(tmp_path / "a.gwf").kind is LetterKind.CHANNEL


@pytest.mark.parametrize("suffix", ["h5", "gwf", "txt"])
def test_a_path_that_is_no_utf8_is_opened_and_shown(tmp_path, suffix):
    path = f"{tmp_path}/caf\udce9\n.{suffix}"
    if suffix == "h5":
        write(Path(path), "H1:X-STRAIN")
    elif suffix == "gwf":
        gwframe.write(str(tmp_path / "a.gwf"), {"H1:X-STRAIN": NOISE}, 1000.0, RATE)
        (tmp_path / "a.gwf").rename(path)
    else:
        Path(path).write_text("nothing that could be read")
    spans, letters = inspected(path)
    assert [span.path for span in spans] == ([path] if suffix != "txt" else [])
    for letter in letters:
        assert letter.source == f"{tmp_path}/caf\\xe9\\n.txt"


NUMBERS = (
    st.floats()
    | st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from([1000.0, 1 / 256, 1e300, 1e-320, 5e-324, 1e10, 2**32 - 64, 256])
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
VALUES = (
    NUMBERS
    | st.booleans()
    | st.complex_numbers()
    | TEXTS
    | NUMBERS.map(str)
    | st.builds("{} {}".format, NUMBERS, st.sampled_from(["s", "ms", "ns", "Hz", "m"]))
    | st.binary(max_size=20).filter(lambda value: b"\0" not in value)
    | st.lists(st.floats(), max_size=3).map(np.array)
    | st.lists(TEXTS, min_size=1, max_size=2).map(
        lambda values: np.array(values, dtype=h5py.string_dtype())
    )
    | st.floats().map(lambda value: np.full((1, 1), value))
    | st.just(h5py.Empty("f8"))
    | st.none()
)
LAYOUTS = {
    "H1:X-STRAIN": ("x0", "dx", "xunit", "name", "channel", "unit", "sample_rate"),
    "H1/strain": ("epoch", "start_time", "delta_t", "delta_f"),
    "strain/Strain": ("Xstart", "Xspacing", "Npoints", "Xunits"),
}
USUAL = {"Xstart": 1000.0, "Xspacing": 1 / RATE, "Npoints": RATE}


@pytest.fixture(scope="module")
def number(tmp_path_factory) -> Iterator[Path]:
    """Return a new path each time."""
    folder = tmp_path_factory.mktemp("odd")
    return (folder / f"H-H1_{number}-1000-1.h5" for number in range(10**9))


@given(data=st.data())
def test_no_attribute_of_hdf5_ends_the_run(number, data):
    key = data.draw(st.sampled_from(sorted(LAYOUTS)))
    path, odd = next(number), {}
    for name in data.draw(st.lists(st.sampled_from(LAYOUTS[key]), unique=True, min_size=1)):
        odd[name] = data.draw(VALUES)
    usual = USUAL if key.startswith("strain/") else {}
    try:
        write(path, key, **{**usual, **odd})
        if key.startswith("strain/"):
            write(path, "quality/simple/DQmask", np.full(1, 127), **{**USUAL, "Xspacing": 1, **odd})
            names = data.draw(st.lists(TEXTS, max_size=8))
            with h5py.File(path, "a") as file:
                file["quality/simple/DQShortnames"] = np.array(
                    names or [""], dtype=h5py.string_dtype()
                )
                file["meta/Detector"] = data.draw(TEXTS)
        inspected(path)
    finally:
        path.unlink(missing_ok=True)


def test_a_reference_is_no_number(tmp_path):
    path = write(tmp_path / "a.h5", "H1:X-STRAIN")
    with h5py.File(path, "a") as file:
        file["H1:X-STRAIN"].attrs["x0"] = file["H1:X-STRAIN"].ref
    assert refused(path).kind is LetterKind.METADATA


@given(data=st.data())
def test_no_metadata_of_frames_end_the_run(number, data):
    path = next(number).with_suffix(".gwf")
    pick = data.draw
    starts = st.floats(0, 1e11) | st.sampled_from([1000.0, 1000.5, 2**32 - 64.0, 5e-324])
    durations = st.floats(0, 1e6) | st.sampled_from([1.0, 1e-9, 0.5])
    rates = st.floats(1e-3, 1e9) | st.sampled_from([256.0, 1.0, 2**20, 2**21])
    names = pick(st.lists(st.just("H1:STRAIN") | TEXTS, max_size=2, unique=True))
    try:
        with gwframe.FrameWriter(str(path)) as writer:
            for _ in range(pick(st.integers(1, 3))):
                frame = gwframe.Frame(
                    start=pick(starts), duration=pick(durations), name=pick(TEXTS)
                )
                for name in names:
                    kind = pick(st.sampled_from(["f4", "f8", "i2", "c8"]))
                    rate = pick(rates)
                    frame.add_channel(name, NOISE.astype(kind), sample_rate=rate, unit=pick(TEXTS))
                frame.add_channel(
                    "H1:DQMASK", np.full(1, 127, "i4"), sample_rate=1, unit=pick(TEXTS)
                )
                writer.write_frame(frame)
        inspected(path)
    finally:
        path.unlink(missing_ok=True)


def test_frames_far_in_the_future_are_read(tmp_path):
    path = str(tmp_path / "a.gwf")
    gwframe.write(path, {"H1:STRAIN": NOISE}, 2.0**32 - 64, RATE)
    (span,) = examine(path, IngestConfig()).spans
    assert span.gps_start_ns == 4294967232 * S
