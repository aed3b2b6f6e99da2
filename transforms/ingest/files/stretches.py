"""What a file of any format holds of a channel: stretches of samples on the GPS grid."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from transforms import gps
from transforms.elements import Interval
from transforms.ingest.errors import DataError
from transforms.kinds import LetterKind


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Contiguous samples of one channel in one file, at the rate that the file has."""

    channel: str
    first: int
    """Index of the first sample on the GPS grid of ``sample_rate``."""
    length: int
    """How many samples there are."""
    sample_rate: int
    """[Hz] in the file, whether or not a power of two."""
    key: str = ""
    """Where in the file the samples are, if its name does not say."""
    gaps: tuple[Interval, ...] = ()
    flags: tuple[Interval, ...] = ()
    skip: int = 0
    """How many samples of the same place in the file come before."""

    @property
    def last(self) -> int:
        """Return the index after the last sample."""
        return self.first + self.length

    @property
    def start_ns(self) -> int:
        """Return the GPS time of the first sample [ns]."""
        return gps.to_ns(self.first, self.sample_rate)

    @property
    def end_ns(self) -> int:
        """Return the GPS time after the last sample [ns]."""
        return gps.to_ns(self.last, self.sample_rate)


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a file holds of one channel."""

    stretches: tuple[Stretch, ...]
    """In order of time, every time once, of one rate."""
    errors: tuple[DataError, ...] = ()
    """What of it cannot be used."""
    checks: tuple[str, ...] = ()
    """Names of the bits of the masks beside it."""


def settled(path: str, stretches: Iterable[Stretch]) -> Held:
    """Choose what is read of one channel of one file, as a plan chooses among files.

    Of several rates that which most of the time has, or has first; every time from the
    stretch that starts first, then from the longer one.

    Raises:
        DataError: All of them are empty.
    """
    given = list(stretches)
    if len(given) == 1 and given[0].length:
        return Held(stretches=tuple(given))
    agreed, errors = _of_one_rate(path, [item for item in given if item.length])
    if not agreed:
        raise DataError(f"{path}: no finite sample of {given[0].channel}; leave the file out")
    kept: list[Stretch] = []
    again: list[Stretch] = []
    for item in sorted(agreed, key=lambda item: (item.first, -item.length, item.key)):
        covered = kept[-1].last if kept else item.first
        if item.first >= covered:
            kept.append(item)
            continue
        more = covered - item.first
        again.append(replace(item, length=min(item.length, more)))
        if item.last > covered:
            kept.append(
                replace(item, first=covered, length=item.length - more, skip=item.skip + more)
            )
    errors += [
        DataError(
            f"{path}: {item.channel} {_times(item)} is there more than once, not read again",
            LetterKind.COVERED,
        )
        for item in _runs(again)
    ]
    return Held(stretches=tuple(kept), errors=tuple(errors))


def _runs(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Join stretches of one rate that touch or overlap: a file may hold thousands of frames."""
    runs: list[Stretch] = []
    for item in sorted(stretches, key=lambda item: (item.sample_rate, item.first)):
        before = runs[-1] if runs else None
        if before and before.sample_rate == item.sample_rate and item.first <= before.last:
            runs[-1] = replace(before, length=max(before.last, item.last) - before.first)
        else:
            runs.append(item)
    return runs


def _times(item: Stretch) -> str:
    return f"{gps.seconds_text(item.start_ns)} to {gps.seconds_text(item.end_ns)}"


def chosen_rate(held: Iterable[tuple[int, int, int]]) -> int | None:
    """Choose the rate of a channel that has several: what most of the time has, or has first.

    Args:
        held: Rate [Hz], start and end [ns] of each stretch.

    Returns:
        The rate [Hz]; None where there is nothing.
    """
    duration: Counter[int] = Counter()
    first: dict[int, int] = {}
    for rate, start_ns, end_ns in held:
        duration[rate] += end_ns - start_ns
        first[rate] = min(first.get(rate, start_ns), start_ns)
    return min(duration, key=lambda rate: (-duration[rate], first[rate], rate), default=None)


def _of_one_rate(path: str, stretches: Sequence[Stretch]) -> tuple[list[Stretch], list[DataError]]:
    best = chosen_rate((item.sample_rate, item.start_ns, item.end_ns) for item in stretches)
    errors = [
        DataError(
            f"{path}: {item.channel} has {item.sample_rate} Hz from {_times(item)}"
            f" and {best} Hz elsewhere; write that part into a file of its own and analyse it"
            " alone",
            LetterKind.RATE,
        )
        for item in _runs(item for item in stretches if item.sample_rate != best)
    ]
    return [item for item in stretches if item.sample_rate == best], errors
