"""The one boundary at which messages are decoded: whatever a message does, others go on."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Generic, TypeVar

from transforms.elements import DeadLetter
from transforms.ingest.errors import letter_of_message
from transforms.ingest.kafka.crashes import MOST_DEATHS, Marks
from transforms.ingest.kafka.source import Decoder, Source
from transforms.kinds import LetterKind
from transforms.texts import line

T = TypeVar("T")


def guarded(source: Source[T], marks: Marks) -> Source[T]:
    """Return a source whose decoders never raise, and give up messages that end processes."""
    return replace(source, decoder=partial(_guarded, source.decoder, marks))


def _guarded(make: Callable[[], Decoder[T]], marks: Marks) -> Decoder[T]:
    return Guarded(make(), marks)


class Guarded(Generic[T]):
    """A decoder of one partition that never raises."""

    def __init__(self, decoder: Decoder[T], marks: Marks) -> None:
        """Guard a decoder.

        Args:
            decoder: Makes elements of messages.
            marks: Tell a later process what this one was doing when it died.
        """
        self._decoder = decoder
        self._marks = marks

    @property
    def pending(self) -> str | None:
        """Return the source of the oldest message that an incomplete element still needs."""
        return self._decoder.pending

    def feed(self, payload: bytes, source: str, arrived_ns: int) -> Sequence[T | DeadLetter]:
        """Decode a message, and return what it completes."""
        if self._marks.deaths(source) >= MOST_DEATHS:
            text = (
                f"{source}: reading it ended the process {MOST_DEATHS} times; look at who sends it"
            )
            return [letter_of_message(source, text, payload, LetterKind.CRASHED)]
        self._marks.begin(source)
        try:
            return self._decoder.feed(payload, source, arrived_ns)
        # Anything at all, here and nowhere else: behind this line stand parsers, one of them in
        # C++, and bytes that anybody may send. What they raise cannot be listed, and a message
        # that ended the job would end it again after each restart.
        except Exception as error:
            text = f"{source}: cannot be read: {type(error).__name__}: {line(error)}; send it again"
            return [letter_of_message(source, text, payload, LetterKind.DAMAGED)]
        finally:
            self._marks.end()
