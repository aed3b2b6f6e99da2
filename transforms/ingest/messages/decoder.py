"""From a topic's messages to frames, whatever they are: told apart by their first bytes."""

from collections.abc import Sequence
from dataclasses import replace

from transforms.elements import DeadLetter, Frame
from transforms.ingest import gwf_frames
from transforms.ingest.config import IngestConfig
from transforms.ingest.errors import DataError, letter_of_message
from transforms.ingest.intervals import merged
from transforms.ingest.messages import gwf, lldd, row
from transforms.ingest.names import shown
from transforms.kinds import LetterKind


class Decoder:
    """Turn the messages of one topic partition, in their order, into frames."""

    def __init__(self, config: IngestConfig) -> None:
        self._config = config
        self._assembler = lldd.Assembler()

    @property
    def pending(self) -> str | None:
        """Return the source of the oldest message still needed for an incomplete frame, or None."""
        return self._assembler.pending

    def feed(self, payload: bytes, source: str, arrived_ns: int) -> list[Frame | DeadLetter]:
        """Decode a message; return the frames that are whole with it, or why there are none.

        Whether the samples are good, beyond what their sender says of them, is not judged
        here. A part of a frame that has come before gives nothing.

        Args:
            payload: The message.
            source: Topic, partition and offset.
            arrived_ns: When it was on the topic [Unix ns].
        """
        if not payload.startswith(lldd.MAGIC):
            return self._decoded(payload, source, arrived_ns)
        found: list[Frame | DeadLetter] = []
        for given in self._assembler.feed(payload, source):
            if isinstance(given, DeadLetter):
                found.append(given)
            else:
                found += self._decoded(given.payload, given.source, arrived_ns)
        return found

    def _decoded(self, payload: bytes, source: str, arrived_ns: int) -> list[Frame | DeadLetter]:
        try:
            frames = self._frames(payload, source)
        except DataError as error:
            return [letter_of_message(source, str(error), payload, error.kind)]
        return [replace(frame, arrived_ns=arrived_ns) for frame in frames]

    def _frames(self, payload: bytes, source: str) -> list[Frame]:
        if payload.startswith(gwf_frames.MAGIC):
            return gwf.decode(payload, source, self._config)
        if payload.startswith(row.MAGIC):
            frame = row.decode(payload, source)
            wanted = self._config.channels
            if wanted and frame.channel not in wanted:
                raise DataError(
                    f"{source}: no channel {', '.join(wanted)}; it holds {shown(frame.channel)};"
                    " name this with --channel or leave its topic out",
                    LetterKind.CHANNEL,
                )
            return [_required(frame, self._config.require)]
        what = "is neither LLDD, GWF nor a row" if payload else "is empty"
        text = f"{source}: {what}; send frames only to this topic"
        raise DataError(text, LetterKind.UNKNOWN_FORMAT)


def _required(frame: Frame, require: Sequence[str]) -> Frame:
    """Turn those flags of a row into gaps that say that a required check failed."""
    named = [(item, _check(item.name, require)) for item in frame.flags]
    gaps = [replace(item, name=check) for item, check in named if check]
    if not gaps:
        return frame
    flags = tuple(item for item, check in named if not check)
    return replace(frame, gaps=tuple(merged((*frame.gaps, *gaps))), flags=flags)


def _check(flag: str, require: Sequence[str]) -> str:
    """Return which required check a flag says has failed; empty for none."""
    return next((name for name in require if name in (flag, f"NO_{flag}")), "")
