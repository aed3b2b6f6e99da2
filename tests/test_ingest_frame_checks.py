"""What a frame must be to be handed over, in whatever format it came."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from transforms.elements import DeadLetter, Frame, Interval
from transforms.gps import NANOSECONDS as S
from transforms.ingest.config import IngestConfig
from transforms.ingest.messages import row
from transforms.ingest.messages.decoder import Decoder
from transforms.ingest.strain.frame_checks import CheckedFrames
from transforms.kinds import LetterKind

START = 1_000_000_000
FRAME = Frame(
    ifo="H1",
    channel="H1:X",
    sample_rate=16,
    gps_start_ns=START * S,
    data=bytes(128),
    source="t/0/1",
)


def assert_letter(letter, kind, said):
    assert letter.kind is kind
    assert letter.source == "t/0/1"
    assert letter.reason.startswith("t/0/1: ")
    assert said in letter.reason
    assert letter.reason.isprintable()
    assert len(letter.reason) < 300


class Gives:
    pending = "t/0/0"

    def __init__(self, *frames):
        self.frames = list(frames)

    def feed(self, payload, source, arrived_ns):
        return self.frames


@pytest.mark.parametrize(
    ("start_ns", "seconds", "kind"),
    [
        (START * S, 256, None),
        (START * S, 256.0625, LetterKind.METADATA),
        (START * S, 0, LetterKind.METADATA),
        (START * S, 4096, LetterKind.METADATA),
        (-S, 1, LetterKind.CLOCK),
        (10**40, 1, LetterKind.CLOCK),
    ],
)
def test_a_frame_that_live_cannot_hold_is_a_dead_letter(start_ns, seconds, kind):
    data = np.zeros(int(16 * seconds)).tobytes()
    frame = replace(FRAME, gps_start_ns=start_ns, data=data)
    (item,) = CheckedFrames(Gives(frame)).feed(b"x", "t/0/1", 0)
    assert item == frame if kind is None else item.kind is kind


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"channel": "H1:../x"}, LetterKind.CHANNEL),
        ({"ifo": "L1"}, LetterKind.CHANNEL),
        ({"ifo": "..", "channel": "..:X"}, LetterKind.CHANNEL),
        ({"gaps": (Interval(0, S, "a/b"),)}, LetterKind.METADATA),
        ({"flags": (Interval(0, S, "<b>\n" * 100),)}, LetterKind.METADATA),
        ({"flags": (Interval(0, S, ""),)}, LetterKind.METADATA),
    ],
)
def test_names_of_any_format_are_checked_at_the_one_door(fields, kind):
    bad = replace(FRAME, **fields)
    (letter,) = CheckedFrames(Gives(bad)).feed(b"x", "t/0/1", 0)
    assert_letter(letter, kind, "; send it like ")


def test_what_a_decoder_gives_is_else_handed_on():
    letter = DeadLetter(source="t/0/0", reason="no frame")
    decoder = CheckedFrames(Gives(letter, FRAME))
    assert decoder.feed(b"x", "t/0/1", 0) == [letter, FRAME]
    assert decoder.pending == "t/0/0"


@pytest.mark.parametrize("start_ns", [-S, 10**40])
def test_a_name_is_safe_to_say_also_where_more_is_wrong(start_ns):
    bad = replace(FRAME, channel="H1:\x1b[2J", gps_start_ns=start_ns, data=b"")
    (letter,) = CheckedFrames(Gives(bad)).feed(b"x", "t/0/1", 0)
    assert_letter(letter, LetterKind.CHANNEL, "is no channel of")


@pytest.mark.parametrize(
    ("ifo", "channel"),
    [
        ("L1", "H1:STRAIN"),
        ("", "STRAIN"),
        ("H1", "H1:"),
        ("H1", "STRAIN"),
        ("", ":STRAIN"),
        ("H1:x", "H1:x:STRAIN"),
        ("H1:x/../../../evil", "H1:x/../../../evil:STRAIN"),
        ("..", "..:STRAIN"),
        ("/", "/:STRAIN"),
        ("h1", "h1:STRAIN"),
        ("H", "H:STRAIN"),
        ("H12", "H12:STRAIN"),
        ("\u0124\u0661", "\u0124\u0661:STRAIN"),
        ("H\u0661", "H\u0661:STRAIN"),
        ("H1\n", "H1\n:STRAIN"),
        ("H1\0", "H1\0:STRAIN"),
        ("H1", "H1:../../evil"),
        ("H1", "H1:a/b"),
        ("H1", "H1:a\\b"),
        ("H1", "H1:STRAIN\n"),
        ("H1", "H1:STRAIN\0"),
        ("H1", "H1:\x1b[2J"),
        ("H1", "H1:A B"),
        ("H1", "H1:<script>alert(1)</script>"),
        ("H1", 'H1:"'),
        ("H1", "H1:'; DROP TABLE triggers"),
        ("H1", "H1:\u202eNIARTS"),
        ("H1", "H1:STRAIN\u2028"),
        ("H1", "H1:\u00c4"),
        ("H1", "H1:" + "X" * 300),
        ("H1" * 20000, "H1:STRAIN"),
    ],
    ids=lambda name: repr(name[:20]),
)
def test_a_channel_is_of_its_detector_and_no_part_of_a_path_or_page(ifo, channel):
    payload = row.encode(replace(FRAME, ifo=ifo, channel=channel))
    for channels, said in (((), "is no channel of"), (("H1:X",), "no channel H1:X; it holds")):
        decoder = CheckedFrames(Decoder(IngestConfig(channels=channels)))
        (letter,) = decoder.feed(payload, "t/0/1", 0)
        assert_letter(letter, LetterKind.CHANNEL, said)
        assert letter.checksum == hashlib.sha256(payload).hexdigest()


@pytest.mark.parametrize("kind", ["gaps", "flags"])
@pytest.mark.parametrize(
    "name",
    ["", " ", " A", "A ", "A,B", "A/B", "..\\", "<b>", 'A"', "A\nB", "A\0", "\u00c4", "X" * 129,
     "X" * 60000, "{A}"],
    ids=lambda name: repr(name[:9]),
)  # fmt: skip
def test_a_name_of_a_gap_or_flag_that_cannot_be_used_is_refused(kind, name):
    bad = Interval(FRAME.gps_start_ns, FRAME.gps_start_ns + S, name)
    payload = row.encode(replace(FRAME, **{kind: (bad,)}))
    (letter,) = CheckedFrames(Decoder(IngestConfig())).feed(payload, "t/0/1", 0)
    assert_letter(letter, LetterKind.METADATA, "is no name of a gap or flag; send it like")
