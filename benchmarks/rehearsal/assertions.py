"""What a performance was like: all that was lost, changed or late."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.rehearsal import compare, deliveries
from benchmarks.rehearsal.compare import Comparison
from benchmarks.rehearsal.plan import Outcome, Plan
from benchmarks.rehearsal.reconciliation import Frames, account
from benchmarks.rehearsal.servers import UPGRADE
from benchmarks.rehearsal.timing import (
    LATE,
    Beats,
    Delay,
    Expected,
    Play,
    delays,
    recovered,
    resumed,
    spread,
    undisturbed,
)
from benchmarks.simulated import FIRST_GPS
from transforms.elements import FINAL
from transforms.gps import NANOSECONDS
from transforms.sink.writers import read_segments, read_triggers

AROUND_S = 2.0
"""Results that were on their way at a kill are disturbed too [s]."""
_HOW = {UPGRADE: ""}
"""What is done to what, where it is not killed."""


@dataclass(frozen=True)
class Verdict:
    """The figures, and whether all is well."""

    figures: dict[str, Any]
    complaints: tuple[str, ...]
    """A line on each of the first few things that are wrong."""

    @property
    def good(self) -> bool:
        """Whether nothing was lost, missing, extra, differing or corrupted."""
        return not self.complaints


def judge(plan: Plan, done: Outcome) -> Verdict:
    """Compare, count and measure."""
    frames = account(done.deliveries, *_said(done))
    messages, files, left = _compared(plan, done)
    stretches = compare.analysed_differently(
        read_segments(done.archive), [one for _, one in done.published.segments]
    )
    complaints = [
        *(
            f"{getattr(frames, name)} frames: {name}"
            for name in ("lost", "corrupted", "unsaid")
            if getattr(frames, name)
        ),
        *compare.shown(messages, "messages"),
        *compare.shown(files, "files"),
        *([f"{stretches} stretches analysed differently"] if stretches else []),
        *(
            f"Prometheus has nothing on {each}"
            for each in (done.seen.unanswered if done.seen else ())
        ),
    ]
    figures = {
        **_frames(frames),
        "faults": deliveries.counts(done.deliveries),
        **_triggers(messages),
        "triggers_open": left,
        "files": _triggers(files),
        "stretches_differing": stretches,
        **_times(plan, done),
        "checkpoint_bytes": done.checkpoint_bytes[-1] if done.checkpoint_bytes else None,
        "checkpoints_bytes": done.checkpoint_bytes,
        **({"seen": asdict(done.seen)} if done.seen else {}),
        "messages": {name: len(found) for name, found in vars(done.published).items()},
    }
    return Verdict(figures, tuple(complaints))


def _said(done: Outcome) -> tuple[list[Any], list[str]]:
    segments = [one for _, one in done.published.segments]
    return segments, [message["source"] for _, message in done.published.letters]


def _compared(plan: Plan, done: Outcome) -> tuple[Comparison, Comparison, int]:
    """Compare messages and files with the archive; count what could not become final."""
    expected = read_triggers(done.archive).to_pylist()
    good = deliveries.good(done.deliveries, plan.wait.missing_ns)
    since = compare.open_since(plan.config.detect, {one.channel: one.end_ns for one in good})
    received, left = compare.judged((message for _, message in done.published.triggers), since)
    names = {row["id"] for row in left}
    messages = compare.compare(expected, received)
    final = (row for row in expected if row["id"] not in names)
    files = compare.compare(final, read_triggers(done.live).to_pylist())
    return messages, files, len(left)


def _frames(frames: Frames) -> dict[str, int]:
    return {f"frames_{name}": number for name, number in asdict(frames).items()}


def _triggers(found: Comparison) -> dict[str, int]:
    return {
        "triggers_expected": found.expected,
        "triggers_received": found.received,
        "triggers_missing": len(found.missing),
        "triggers_extra": len(found.extra),
        "triggers_differing": len(found.differing),
    }


def _times(plan: Plan, done: Outcome) -> dict[str, Any]:
    play = Play.of(done.deliveries, FIRST_GPS * NANOSECONDS, plan.end_ns, plan.speed)
    begins = [play.begun, *(when for _, when in done.kills)]
    untils = [*begins[1:], play.ended]
    channels = _channels(plan, done, play)
    backs = [_back(channels, done, play, *span) for span in zip(begins, untils, strict=True)]
    disturbed = [
        (begin - AROUND_S, back + AROUND_S) for begin, back in zip(begins, backs, strict=True)
    ]
    kills = [
        {
            "what": what,
            "recovery_s": _recovery(channels, play, when, back),
            "data_left_s": round(max(0.0, play.ended - back), 1),
        }
        for (what, when), back in zip(done.kills, backs[1:], strict=True)
    ]
    found = {
        "latency_s": delays(done.published.triggers),
        "settled_s": delays(done.published.triggers, LATE),
        "final_s": delays(done.published.triggers, (FINAL,)),
    }
    return {
        "start_s": round(backs[0] - play.begun, 1),
        "kills": kills,
        **{name: _spreads(each, disturbed) for name, each in found.items()},
    }


def _spreads(found: Sequence[Delay], disturbed: Sequence[tuple[float, float]]) -> dict[str, Any]:
    calm = undisturbed(found, disturbed)
    return {**spread(calm), "count": len(calm), "overall": spread([one.seconds for one in found])}


def _channels(plan: Plan, done: Outcome, play: Play) -> list[tuple[Expected, Beats]]:
    """Return how far each channel could be, and how far it was, in words."""
    good = deliveries.good(done.deliveries, plan.wait.missing_ns)
    published = done.published.segments
    return [
        (
            Expected((one for one in good if one.channel == channel), play, plan.wait),
            Beats((when, one.end_ns) for when, one in published if one.channel == channel),
        )
        for channel in sorted({one.channel for one in good})
    ]


def _back(
    channels: Sequence[tuple[Expected, Beats]],
    done: Outcome,
    play: Play,
    begin: float,
    until: float,
) -> float:
    """Return when the analysis of all channels was at the newest data after a disturbance."""
    # What is behind at the end of the data still has to come.
    last = max(until, done.published.segments[-1][0]) if until >= play.ended else until
    return max((recovered(*one, begin, last) for one in channels), default=begin)


def _recovery(
    channels: Sequence[tuple[Expected, Beats]], play: Play, kill: float, back: float
) -> float | None:
    """Return how long a kill was felt [s]; None where it had nothing to stop."""
    if back <= kill:
        found = (resumed(*one, play, kill) for one in channels)
        back = max((when for when in found if when is not None), default=kill)
    return round(back - kill, 1) if back > kill else None


def lines(figures: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield the rows of the table."""
    for name, value in figures.items():
        if isinstance(value, int) or name == "start_s":
            yield name.replace("_", " "), str(value)
    for kill in figures["kills"]:
        seconds = kill["recovery_s"]
        shown = "nothing was late" if seconds is None else f"{seconds:.1f}"
        if not kill["data_left_s"]:
            shown += ", but the data had ended: give more --frames or less --speed"
        yield f"recovery from {_HOW.get(kill['what'], 'kill -9 of ')}{kill['what']} [s]", shown
    for name in ("latency_s", "settled_s", "final_s"):
        for what, found in (("undisturbed", figures[name]), ("overall", figures[name]["overall"])):
            if found["p50"] is not None:
                shown = ", ".join(
                    f"{part} {found[part]:.2f}" for part in ("p50", "p90", "p99", "max")
                )
                yield f"{name[:-2]}, {what} [s]", shown
