"""Messages that no detector should send: each kind harms whoever believes it."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass

import gwframe
import numpy as np

from transforms.elements import Frame, Interval
from transforms.gps import NANOSECONDS, to_ns
from transforms.ingest.messages import encoder, gwf_structure, lldd, row

RATE = 1024
EACH = 8
"""Messages of each kind."""
_CHANNEL = "H1:POISON_STRAIN"


@dataclass(frozen=True, kw_only=True)
class Poison:
    """A kind of messages."""

    kind: str
    messages: tuple[bytes, ...]
    refused: bool = True
    """Whether each of them must end as a dead letter."""


def all_kinds(since: int) -> Iterator[Poison]:
    """Yield each kind, of frames that begin at a GPS time [s]."""
    good = frame(_CHANNEL, since)
    whole = row.encode(good)
    gwf = encoder.encode_gwf([good])
    yield _kind("nothing", [b""] * EACH)
    yield _kind("noise", [np.random.default_rng(n).bytes(1 << n) for n in range(4, 4 + EACH)])
    yield _kind("an archive", [gzip.compress(whole)] * EACH)
    yield _kind("half a row", [whole[: len(whole) // 2]] * EACH)
    yield _kind("a row with a wrong bit", [_flipped(whole)] * EACH)
    yield _kind("half a GWF frame", [gwf[: len(gwf) // 2]] * EACH)
    yield _kind("a damaged GWF frame whose checksum fits", _damaged(gwf))
    yield _kind("GWF frames of tomorrow", [_gwf(4_000_000_000)] * EACH)
    yield _kind("a detector that is a path", [_named("../../evil", since)] * EACH)
    yield _kind("a channel with markup", [_named("H1:<img src=x>", since)] * EACH)
    yield _kind("a rate of three", [row.encode(frame(_CHANNEL, since, rate=3))] * EACH)
    yield _kind("tomorrow", [row.encode(frame(_CHANNEL, 4_000_000_000))] * EACH)
    parts = lldd.split(gwf, since, 1000)
    yield _kind("parts without a whole", [one for one in parts[:-1] for _ in range(2)], False)
    flags = tuple(Interval(0, NANOSECONDS, f"FLAG_{n}") for n in range(5000))
    yield _kind("thousands of flags", [row.encode(frame(_CHANNEL, since, flags=flags))] * EACH)
    yield _kind("no finite sample", [_silent(since + n) for n in range(EACH)], False)
    for rate in (1, 8, 64, 256):
        slow = [row.encode(frame(f"H1:SLOW-{rate}", since + n, rate=rate)) for n in range(90)]
        yield _kind(f"a channel of {rate} Hz", slow, False)
    yield _kind("a channel that changes its rate", list(_changing(since)), False)


def large(second: int) -> list[bytes]:
    """Return the parts of a frame that takes a while to decode."""
    rate, seconds = 16384, 64
    samples = np.random.default_rng(0).normal(0, 1e-21, rate * seconds)
    start_ns = second * NANOSECONDS
    whole = Frame(
        ifo="H1",
        channel="H1:DEADLY_STRAIN",
        sample_rate=rate,
        gps_start_ns=start_ns,
        data=samples.tobytes(),
    )
    return lldd.split(encoder.encode_gwf([whole]), second)


def frame(
    channel: str, second: int, *, rate: int = RATE, flags: tuple[Interval, ...] = ()
) -> Frame:
    """Return a second of noise."""
    samples = np.random.default_rng(second).normal(0, 1e-21, rate)
    start_ns = to_ns(second * rate, rate)
    return Frame(
        ifo=channel[:2],
        channel=channel,
        sample_rate=rate,
        gps_start_ns=start_ns,
        data=samples.tobytes(),
        flags=flags,
    )


def _kind(kind: str, messages: list[bytes], refused: bool = True) -> Poison:
    return Poison(kind=kind, messages=tuple(messages), refused=refused)


def _flipped(message: bytes) -> bytes:
    return message[:-100] + bytes([message[-100] ^ 1]) + message[-99:]


def _damaged(gwf: bytes) -> list[bytes]:
    """Break the length of a structure; put the checksum of the whole right."""
    found = []
    for at in range(40, 40 + EACH):
        broken = bytearray(gwf)
        broken[at] ^= 0xFF
        broken[-4:] = gwf_structure.cksum(bytes(broken[:-4])).to_bytes(4, "little")
        found.append(bytes(broken))
    return found


def _gwf(second: int) -> bytes:
    written = gwframe.Frame(start=float(second), duration=1.0, name="H1")
    written.add_channel(_CHANNEL, np.random.default_rng(0).normal(0, 1e-21, RATE), RATE)
    payload: bytes = written.write_bytes()
    return payload


def _named(channel: str, second: int) -> bytes:
    return row.encode(frame(channel, second))


def _silent(second: int) -> bytes:
    silent = np.full(RATE, np.nan).tobytes()
    return row.encode(
        Frame(
            ifo="H1",
            channel="H1:SILENT_STRAIN",
            sample_rate=RATE,
            gps_start_ns=second * NANOSECONDS,
            data=silent,
        )
    )


def _changing(since: int) -> Iterator[bytes]:
    for number in range(90):
        rate = RATE if number // 30 % 2 else 2 * RATE
        yield row.encode(frame("H1:CHANGING_STRAIN", since + number, rate=rate))
