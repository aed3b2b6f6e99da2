"""What a model said of labelled events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.classify import artefact


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a model said of events."""

    card: artefact.Card
    rows: Sequence[Mapping[str, Any]]
    """One for each event, usable or not, with the columns of ``events.csv``."""
    truth: npt.NDArray[np.int64]
    """Index into the model's classes, [usable event]."""
    probabilities: npt.NDArray[np.float32]
    """[usable event, class]."""
    milliseconds: float
    """CPU time of an event: features and inference, one at a time."""
    notes: tuple[str, ...]

    @property
    def usable(self) -> list[Mapping[str, Any]]:
        """Return the rows of the events that were labelled."""
        return [row for row in self.rows if not row["why"]]

    @property
    def unusable(self) -> list[Mapping[str, Any]]:
        """Return the rows of the events of which a label would say nothing."""
        return [row for row in self.rows if row["why"]]

    @property
    def snr(self) -> npt.NDArray[np.float64]:
        """Return the SNR of the triggers, [usable event]."""
        return np.array([row["snr"] for row in self.usable], np.float64)
