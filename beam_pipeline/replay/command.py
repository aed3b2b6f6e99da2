"""``wavefier replay``: files to frames, frames to messages, messages to Kafka."""

import argparse
import math
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from tqdm import tqdm

from beam_pipeline import progress_bar
from beam_pipeline.exits import DATA_PROBLEM, DONE, UserError
from beam_pipeline.replay.account import Account, SentFrame
from beam_pipeline.replay.faults import CORRUPT, DROP, DUPLICATE, KINDS, Faults, parse
from beam_pipeline.replay.playback import FrameCutting, Playback, gather
from beam_pipeline.replay.schedule import RateLimiter, ScheduledFrame, schedule
from beam_pipeline.replay.sender import Receipt, Sender, SendError
from transforms import gps
from transforms.broker import BrokerError, KafkaConfig, Topic, ensure_topics
from transforms.gps import NANOSECONDS
from transforms.ingest.messages.encoder import encode
from transforms.utc import gps_now

PATIENCE_S = 10.0
"""How long a broker may take to answer at the start [s]; later, it is waited for."""


@dataclass
class Problems:
    """What went wrong with the data."""

    number: int = 0

    def __call__(self, text: str) -> None:
        """Print one problem."""
        self.number += 1
        tell(text)


@dataclass(frozen=True, kw_only=True)
class Wire:
    """How a frame becomes messages, and where they go."""

    kind: str
    """One of ``FORMATS``."""
    topic: str
    """With ``{ifo}`` where the detector stands."""
    faults: Faults

    def topic_of(self, ifo: str) -> str:
        """Name the topic of a detector."""
        return self.topic.replace("{ifo}", ifo)

    def packed(self, scheduled: ScheduledFrame) -> SentFrame:
        """Pack a frame.

        Raises:
            UserError: The format has no place for what the frame says.
        """
        played, kind = scheduled.played, scheduled.fault.kind if scheduled.fault else ""
        topic = self.topic_of(played.frame.ifo)
        if kind == DROP:
            return SentFrame(scheduled=scheduled, topic=topic, messages=[], copies=0)
        try:
            messages, how = encode([played.frame], self.kind), ""
        except ValueError as error:
            raise UserError(f"{played.frame.channel}: {error}") from error
        if kind == CORRUPT:
            messages, how = self.faults.corrupted(played, messages)
        return SentFrame(
            scheduled=scheduled,
            topic=topic,
            messages=messages,
            copies=2 if kind == DUPLICATE else 1,
            how=how,
        )


def tell(text: str) -> None:
    """Write a line on standard error, above a bar if there is one."""
    tqdm.write(f"wavefier: {text}", file=sys.stderr)


def replay(options: argparse.Namespace, start_ns: int | None, end_ns: int | None) -> int:
    """Send files to Kafka, and return the exit code.

    Raises:
        UserError: A mistake in the call.
    """
    problems = Problems()
    try:
        wire = Wire(kind=options.format, topic=options.topic, faults=_faults(options))
        cut = _cut(options, start_ns, end_ns)
        config = KafkaConfig(options.brokers, options.kafka_config)
        spans = gather(options.files, options.channel, problems)
        playback = Playback(spans, cut, problems)
        topics = {wire.topic_of(ifo): Topic() for ifo in playback.channels.values()}
        if not topics:
            tell("there is nothing to play")
            return DATA_PROBLEM
        ensure_topics(config, topics, PATIENCE_S)
        if options.now:
            cut = replace(cut, shift_ns=_shift_to_now(playback, cut))
            playback = Playback(spans, cut, problems)
        with Account(options.fault_log) as account, progress_bar.shown():
            _play(options, config, playback, wire, account)
    except (BrokerError, SendError) as error:
        raise UserError(error) from error
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be written ({error.strerror})") from error
    for line in account.summary():
        sys.stdout.write(f"{line}\n")
    return DATA_PROBLEM if problems.number else DONE


def _faults(options: argparse.Namespace) -> Faults:
    try:
        given = [parse(kind, text) for kind in KINDS for text in getattr(options, kind)]
        return Faults(given, options.seed)
    except ValueError as error:
        raise UserError(error) from error


def _cut(options: argparse.Namespace, start_ns: int | None, end_ns: int | None) -> FrameCutting:
    if not 0 <= options.speed < math.inf:
        raise UserError(f"--speed {options.speed:g}: play at 0 (as fast as can be) or faster")
    if options.now and options.speed != 1:
        raise UserError("--now plays in real time: leave --speed out, or give --shift")
    if abs(options.shift) * NANOSECONDS > gps.LATEST_NS:
        raise UserError(f"--shift {options.shift}: shift by 10000000000 s at most")
    try:
        return FrameCutting(
            frame_ns=gps.from_seconds(options.frame_seconds),
            shift_ns=options.shift * NANOSECONDS,
            start_ns=start_ns,
            end_ns=end_ns,
            passes=options.loop,
        )
    except (ValueError, OverflowError) as error:
        raise UserError(f"--frame-seconds, --loop: {error}") from error


def _shift_to_now(playback: Playback, cut: FrameCutting) -> int:
    """Return by how much [ns] times are shifted for the first frame to be taken next."""
    # By whole frames: then they are cut as they are without.
    step = max(cut.frame_ns, NANOSECONDS)
    return -(-(gps.from_seconds(gps_now()) - playback.first_due_ns) // step) * step


def _play(
    options: argparse.Namespace,
    config: KafkaConfig,
    playback: Playback,
    wire: Wire,
    account: Account,
) -> None:
    frame_ns = playback.cut.frame_ns
    if options.loop:
        progress_bar.note(playback.frames_in_pass * options.loop * gps.to_seconds(frame_ns), 0.0)
    pace = RateLimiter(options.speed, gps_now if options.now else time.monotonic, options.now)
    sender = Sender(config.client_settings(), tell)
    try:
        send(schedule(playback.frames(), wire.faults, frame_ns), wire, sender, pace, account)
        sender.finish()
    finally:
        sender.close()


def send(
    frames: Iterable[ScheduledFrame],
    wire: Wire,
    sender: Sender,
    pace: RateLimiter,
    account: Account,
) -> None:
    """Send frames, each when it is due; it is packed beforehand."""
    for scheduled in frames:
        sent = wire.packed(scheduled)
        while (left := pace.left(scheduled.at_ns)) > 0:
            sender.wait(left)
        arrived = account.entry(sent)
        if not sent.messages:
            arrived(Receipt())
            continue
        frame = scheduled.played.frame
        headers = {"gps": gps.seconds_text(frame.gps_start_ns)}
        sender.send(sent.topic, frame.channel, headers, sent.messages * sent.copies, arrived)
