"""What the detector finds in a stretch, and which injection made it."""

from dataclasses import dataclass

from models.simulation import waveforms
from models.simulation.injections import Injection
from models.simulation.strain import Interval
from transforms.detect.bank import bank_for
from transforms.detect.cluster import cluster
from transforms.detect.config import DetectConfig
from transforms.detect.search import search
from transforms.detect.sessions import Sessions
from transforms.elements import Block, Trigger
from transforms.gps import NANOSECONDS, from_seconds
from transforms.whiten.config import WhitenConfig
from transforms.whiten.whitening import whiten

REACH = 0.05
"""How far a trigger's extent is widened in matching [s]: the delay of the filters."""
OWN_PART = 0.5
"""A trigger is an injection's where the injection explains this part of its SNR."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Strain with injections, and the truth about it."""

    block: Block
    curve: str
    """Name of the noise curve, or of the file of real strain."""
    key: str
    """Names this stretch among all of all sets."""
    injections: tuple[Injection, ...]
    known: tuple[Interval, ...] = ()
    """Times of the strain's own transients."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """A trigger and what made it."""

    trigger: Trigger
    label: str
    injected_snr: float
    """Optimal SNR of the injection; 0 for noise."""
    loudest: bool
    """Whether no other trigger of the same injection is louder."""
    curve: str
    """Name of the noise curve, or of the file of real strain."""
    key: str
    """Of the injection: seed/curve/number/index; that of noise ends in the word."""


def find(block: Block, whitening: WhitenConfig, detection: DetectConfig) -> list[Trigger]:
    """Run the pipeline's own whitening, search and clustering on a block."""
    bank = bank_for(block.sample_rate, detection, whitening.low_frequency)
    whitened = whiten(block, whitening, bank.margin_seconds * NANOSECONDS)
    candidates = search(whitened, detection, bank)
    sessions = Sessions.of(detection).group(candidates)
    return [cluster(session.candidates, "simulation") for session in sessions]


def match(triggers: list[Trigger], made: Stretch) -> list[Example]:
    """Return what made each trigger.

    A trigger is an injection's where the injection's own SNR within the trigger's extent
    explains it. One that lies in an injection's time without that is left out: it is
    neither surely noise nor surely not. So is one at a transient of the strain's own.
    """
    matched: list[tuple[Trigger, Injection | None]] = []
    for trigger in triggers:
        start, end = trigger.start_ns - from_seconds(REACH), trigger.end_ns + from_seconds(REACH)
        if any(low < end and high > start for low, high in made.known):
            continue
        near = [i for i in made.injections if i.start_ns < end and i.end_ns > start]
        own = max(near, key=lambda i: i.snr_between(start, end), default=None)
        if own is None:
            matched.append((trigger, None))
        elif own.snr_between(start, end) >= OWN_PART * trigger.snr:
            matched.append((trigger, own))
    loudest: dict[str, float] = {}
    for trigger, own in matched:
        if own:
            loudest[own.key] = max(trigger.snr, loudest.get(own.key, 0.0))
    return [_example(trigger, own, loudest, made) for trigger, own in matched]


def _example(
    trigger: Trigger, own: Injection | None, loudest: dict[str, float], made: Stretch
) -> Example:
    if own is None:
        key = f"{made.key}/{waveforms.NOISE}"
        return Example(
            trigger=trigger,
            label=waveforms.NOISE,
            injected_snr=0.0,
            loudest=True,
            curve=made.curve,
            key=key,
        )
    is_loudest = trigger.snr == loudest[own.key]
    return Example(
        trigger=trigger,
        label=own.label,
        injected_snr=own.snr,
        loudest=is_loudest,
        curve=made.curve,
        key=own.key,
    )
