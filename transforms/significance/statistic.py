"""The ranking statistic: ln of how much more likely a signal makes a pair than two accidents.

ln L = sum over k of w_k t_k. Most t_k are tables of ln(density among signals' pairs / density
among slid pairs) of what a pair looks like. ``ranks`` is ln of the density of signals alone, and
``rates`` minus ln of how often either detector triggers so: together they compare signals with
the noise of the day. ``labels`` compares what both classifications say with what they say of
accidents. The weights mend what two terms say twice. Without labels the statistic finds what no
class was taught for; so there are two sums.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from transforms import settings
from transforms.arrays import BoolArray, FloatArray
from transforms.checks import OneOf, check_values
from transforms.coincide.arrivals import PLACES
from transforms.coincide.features import Features, Index
from transforms.files import whole_file
from transforms.significance.tables import Table
from transforms.significance.triggers import RANK_EDGES, TriggerCounts, TriggerRates
from transforms.texts import complaint, cut

SURE = 0.99
"""No class is held more probable than this, nor less than 1 - this: on real glitches,
classifiers are too sure."""
_LARGEST = 1 << 22
"""Largest file of a statistic [bytes]."""
_DIMENSIONS = {"ranks": 2, "frequency": 3, "time": 2, "correlation": 2}
"""Of tables; others have one."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """How a statistic was made."""

    name: str
    command: str
    signals: str
    """What the signals are."""
    noise: str
    """What was slid."""
    signal_pairs: int
    noise_pairs: int
    seed: int
    versions: tuple[str, ...]
    """Of the libraries that made it."""


@dataclass(frozen=True, kw_only=True)
class Tables:
    """One table for each term that only looks at the pair."""

    ranks: Table
    """Both ranks: ln of the density of signals, the same either way round."""
    ratio: Table
    """Of the louder rank to the quieter one."""
    frequency: Table
    """|ln of the ratio|, mean q, the quieter rank."""
    bandwidth: Table
    """|ln of the ratio|; so are the next three."""
    duration: Table
    q: Table
    amplitude: Table
    time: Table
    """Beyond what light needs [s], shorter duration [s]."""
    overlap: Table
    correlation: Table
    """|correlation|, the quieter rank."""

    def __post_init__(self) -> None:
        for field in fields(self):
            wanted, table = _DIMENSIONS.get(field.name, 1), getattr(self, field.name)
            if len(table.edges) != wanted:
                raise ValueError(f"{field.name} must be a table of {wanted} quantities")


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What each term counts for."""

    ranks: float
    ratio: float
    frequency: float
    bandwidth: float
    duration: float
    q: float
    amplitude: float
    time: float
    overlap: float
    correlation: float
    rates: float
    labels: float = 0.0

    def __post_init__(self) -> None:
        check_values(self)


TERMS = tuple(field.name for field in fields(Weights))
"""In the order in which they are summed."""


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """ln L of pairs, [pair]."""

    labelled: FloatArray
    unlabelled: FloatArray

    def taken(self, which: Index | BoolArray | slice) -> "Ranked":
        """Return those of some of the pairs, by number, by mask, or a stretch."""
        return Ranked(labelled=self.labelled[which], unlabelled=self.unlabelled[which])


@dataclass(frozen=True, kw_only=True)
class Statistic:
    """Tables and weights, as a file holds them."""

    version: Annotated[int, OneOf((1,), "1")]
    """Of the format."""
    card: Card
    classes: tuple[str, ...]
    labels: tuple[tuple[float, ...], ...]
    """ln of how much more often a signal than accidents has two classes, [class, class]."""
    prior: tuple[tuple[float, ...], ...]
    """ln of the triggers per second and e-fold of rank without a past, [place, bin of rank]."""
    tables: Tables
    labelled: Weights
    unlabelled: Weights

    def __post_init__(self) -> None:
        check_values(self)
        known = len(self.classes)
        if not known or len(set(self.classes)) < known:
            raise ValueError("classes must be names, each once")
        _check_shape("labels", self.labels, (known, known))
        _check_shape("prior", self.prior, (PLACES, len(RANK_EDGES) - 1))
        if self.unlabelled.labels:
            raise ValueError("unlabelled must not have a weight of labels")

    @cached_property
    def id(self) -> str:
        """Return the hash of all but the card: 16 hexadecimal digits."""
        contents = {key: value for key, value in asdict(self).items() if key != "card"}
        return hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:16]

    def rates(self, past: TriggerCounts) -> TriggerRates:
        """Return how often a detector triggers, of its past and the prior."""
        return TriggerRates.of(past, np.array(self.prior))

    def check_classes(self, classes: Sequence[str]) -> None:
        """Check that the statistic knows a model's classes.

        Raises:
            ValueError: It does not; one line that names them.
        """
        strange = [name for name in classes if name not in self.classes]
        if strange:
            raise ValueError(
                f"the ranking statistic {self.card.name} knows no class {cut(', '.join(strange))}: "
                "make one for this model"
            )

    def terms(
        self,
        pairs: Features,
        classes: Sequence[str],
        rates_first: TriggerRates,
        rates_second: TriggerRates,
    ) -> dict[str, FloatArray]:
        """Return the terms of pairs by name, each [pair]; ``labels`` only if there are classes.

        Args:
            pairs: What the pairs look like.
            classes: Of the columns of the pairs' probabilities; none: nothing was classified.
            rates_first: Of the first detector.
            rates_second: Of the second detector.

        Raises:
            ValueError: A class is not known.
        """
        made = {
            name: getattr(self.tables, name)(*columns)
            for name, columns in coordinates(pairs).items()
        }
        first = rates_first(pairs.rank_first, pairs.place_first)
        made["rates"] = -(first + rates_second(pairs.rank_second, pairs.place_second))
        if classes:
            made["labels"] = self._label_term(pairs, classes)
        return made

    def rank(
        self,
        pairs: Features,
        classes: Sequence[str],
        rates_first: TriggerRates,
        rates_second: TriggerRates,
    ) -> Ranked:
        """Return ln L of pairs; the same bits for a pair alone and among others.

        Without classes, both sums are the one without labels.

        Args:
            pairs: What the pairs look like.
            classes: Of the columns of the pairs' probabilities; none: nothing was classified.
            rates_first: Of the first detector.
            rates_second: Of the second detector.

        Raises:
            ValueError: A class is not known.
        """
        terms = self.terms(pairs, classes, rates_first, rates_second)
        unlabelled = total(terms, self.unlabelled)
        labelled = total(terms, self.labelled) if classes else unlabelled
        return Ranked(labelled=labelled, unlabelled=unlabelled)

    def _label_term(self, pairs: Features, classes: Sequence[str]) -> FloatArray:
        self.check_classes(classes)
        at = [self.classes.index(name) for name in classes]
        odds = np.exp(np.array(self.labels))[np.ix_(at, at)]
        return np.log(
            bilinear(surely(pairs.probabilities_first), odds, surely(pairs.probabilities_second))
        )

    def save(self, path: Path) -> None:
        """Write the statistic: the same one always as the same bytes."""
        parts = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in asdict(self).items())
        with whole_file(path) as place:
            place.write_text("{\n" + ",\n".join(parts) + "\n}\n", "utf-8")


def coordinates(pairs: Features) -> dict[str, tuple[FloatArray, ...]]:
    """Return what each table is looked up by, [pair]; the order of detectors does not matter."""
    quieter = np.minimum(pairs.rank_first, pairs.rank_second)
    louder = np.maximum(pairs.rank_first, pairs.rank_second)
    return {
        "ranks": (pairs.rank_first, pairs.rank_second),
        "ratio": (louder / quieter,),
        "frequency": (np.abs(pairs.frequency), pairs.mean_q, quieter),
        "bandwidth": (np.abs(pairs.bandwidth),),
        "duration": (np.abs(pairs.duration),),
        "q": (np.abs(pairs.q),),
        "amplitude": (np.abs(pairs.amplitude),),
        "time": (pairs.time, pairs.shorter),
        "overlap": (pairs.overlap,),
        "correlation": (np.abs(pairs.correlation), quieter),
    }


def total(terms: Mapping[str, FloatArray], weights: Weights) -> FloatArray:
    """Return the weighted sum of the terms that are there, in a fixed order, [pair]."""
    made = np.zeros_like(next(iter(terms.values())))
    for name in TERMS:
        if name in terms:
            made += getattr(weights, name) * terms[name]
    return made


def surely(probabilities: FloatArray) -> FloatArray:
    """Return probabilities that are never too sure."""
    return np.clip(probabilities, 1 - SURE, SURE)


def bilinear(first: FloatArray, matrix: FloatArray, second: FloatArray) -> FloatArray:
    """Return sum over c and d of first_c M_cd second_d, [pair], in a fixed order.

    BLAS sums in an order that depends on the number of pairs; so this does not use it.
    """
    inner = np.zeros((len(second), len(matrix)))
    for d in range(len(matrix)):
        inner += second[:, d, None] * matrix[:, d]
    made = np.zeros(len(first))
    for c in range(len(matrix)):
        made += first[:, c] * inner[:, c]
    return made


def load(path: Path) -> Statistic:
    """Read a statistic, strictly.

    Raises:
        SettingsError: It cannot be read, holds a key that is unknown or twice there, or values
            of other shapes, or that are not finite; one line that begins with the path.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise settings.SettingsError(f"larger than a statistic can be ({_LARGEST >> 20} MiB)")
        values = json.loads(content, object_pairs_hook=_each_once)
        return settings.build(Statistic, values)
    except OSError as error:
        raise settings.SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    except settings.SettingsError as error:
        raise settings.SettingsError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise settings.SettingsError(f"{path}: not JSON ({complaint(error)})") from error


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise settings.SettingsError(f"{cut(twice)} stands twice: keep one")
    return made


def _check_shape(name: str, rows: tuple[tuple[float, ...], ...], shape: tuple[int, int]) -> None:
    if len(rows) != shape[0] or any(len(row) != shape[1] for row in rows):
        raise ValueError(f"{name} must be {shape[0]} rows of {shape[1]}")
