"""Making a statistic: noise and signals of a network, slid, paired and learnt from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from models import environment
from models.ranking import pairing, real, sets
from models.ranking.fit import Examples, learn
from models.simulation.network import HOUR, NetworkConfig
from models.simulation.simulate import Progress
from transforms.checks import Limits, check_values
from transforms.classify import artefact
from transforms.significance.config import SignificanceConfig
from transforms.significance.statistic import Card, Statistic


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How much is simulated."""

    hours: Annotated[float, Limits(gt=0, unit="h")] = 24.0
    """Noise of each detector [h], whole stretches; what is begun counts."""
    signals: Annotated[int, Limits(ge=1)] = 1500
    """At least so many; all of a stretch are taken."""
    seed: Annotated[int, Limits(ge=0)] = 1
    """Of noise and signals."""

    def __post_init__(self) -> None:
        check_values(self)

    def stretches(self, network: NetworkConfig) -> int:
        """Return how many stretches of noise that is."""
        return max(1, -(-round(self.hours * HOUR) // network.seconds))


def made(
    plan: sets.Plan,
    recipe: Recipe,
    strain: Sequence[Path] = (),
    command: str = "",
    progress: Progress = lambda *_: None,
) -> Statistic:
    """Simulate a network and learn its statistic.

    Args:
        plan: Of the network.
        recipe: How much of it.
        strain: Folders of real strain, which is slid with the simulated noise.
        command: For the card.
        progress: Told of each file that is made.

    Raises:
        ValueError: There are fewer than two detectors, no pairs of signals, or no slid pairs; LAL
            is missing; or real strain cannot be used.
        models.pool.PoolError: A process was killed.
    """
    network = plan.network
    if len(network.detectors) < 2:
        raise ValueError("a network needs two detectors")
    stretches = recipe.stretches(network)
    noise = sets.noise(plan, recipe.seed, stretches, progress)
    heard = sets.signals(plan, recipe.seed, recipe.signals, progress)
    own = real.noise(strain, plan, network.start_ns(stretches))
    noise = {ifo: [*found, *own[ifo]] for ifo, found in noise.items()}
    lived = sum(sets.live_seconds(found) for found in own.values())
    told = ", ".join(network.detectors)
    length = f"{stretches * network.seconds / HOUR:.1f} h"
    card = Card(
        name="network",
        command=command,
        signals=f"{sum(len(one.signals) for one in heard)} simulated, heard by {told}",
        noise=f"{length} of simulated {told} with glitches, {network.noise}{_told(lived)}",
        signal_pairs=0,
        noise_pairs=0,
        seed=recipe.seed,
        versions=tuple(f"{name} {text}" for name, text in environment.versions().items()),
    )
    return learnt(noise, heard, network.detectors, card)


def _told(lived: float) -> str:
    return f"; {lived / HOUR:.2f} h of real strain" if lived else ""


def learnt(
    noise: Mapping[str, Sequence[sets.Seen]],
    heard: Sequence[sets.SeenSignals],
    detectors: Sequence[str],
    card: Card,
) -> Statistic:
    """Slide noise, pair signals, and learn the statistic of all pairs of detectors together.

    Args:
        noise: By detector.
        heard: Stretches with signals.
        detectors: Two or more.
        card: How it is made; the numbers of pairs are counted.

    Raises:
        ValueError: There are no pairs of signals, or no slid pairs.
    """
    classes = artefact.load_card(artefact.default_artefact()).classes
    pairs = pairing.detector_pairs(detectors)
    return learn([_examples(noise, heard, one, classes) for one in pairs], classes, card)


def _examples(
    noise: Mapping[str, Sequence[sets.Seen]],
    heard: Sequence[sets.SeenSignals],
    detectors: tuple[str, str],
    classes: tuple[str, ...],
) -> Examples:
    slid = pairing.slid_noise(noise, detectors, classes, SignificanceConfig().lags_ns)
    return Examples(
        signals=pairing.of_signals(heard, detectors, classes).loudest(),
        noise=slid.both.features,
        first=slid.counts[0],
        second=slid.counts[1],
    )
