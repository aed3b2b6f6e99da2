"""How many triggers an hour real noise makes, and how sure the model is of quiet ones."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.metrics import SURE
from models.simulation.waveforms import NOISE
from transforms.classify.answers import UNKNOWN
from transforms.elements import Trigger

BANDS = ((0.0, 8.0), (8.0, 20.0), (20.0, np.inf))
"""Of the triggers' SNR; the first begins at the detector's threshold."""
FREQUENCIES = ((0.0, 64.0), (64.0, 256.0), (256.0, 1024.0), (1024.0, np.inf))
"""Bands of the triggers' frequencies [Hz]."""
QUIET = 8.0
"""SNR below which a trigger is quiet."""
HOUR = 3600.0
"""[s]."""
ALL = "all"
"""Stands for a detector's name in the row of all together."""


@dataclass(frozen=True, kw_only=True)
class Background:
    """What a detector's strain holds that is of no event."""

    ifo: str
    live: float
    """[s]."""
    triggers: Sequence[Trigger]
    """Labelled."""


def table(stretches: Sequence[Background]) -> list[dict[str, Any]]:
    """Return counts and rates by detector, and of all together, which come last."""
    ifos = sorted({each.ifo for each in stretches})
    rows = [_row(ifo, [each for each in stretches if each.ifo == ifo]) for ifo in ifos]
    return [*rows, _row(ALL, stretches)] if rows else []


def _row(name: str, stretches: Sequence[Background]) -> dict[str, Any]:
    live = sum(each.live for each in stretches)
    triggers = [trigger for each in stretches for trigger in each.triggers]
    return {
        "ifo": name,
        "live": round(live, 3),
        "triggers": len(triggers),
        "hourly": round(len(triggers) * HOUR / live, 2) if live else None,
        "by_snr": _binned([t.snr for t in triggers], BANDS),
        "by_frequency": _binned([t.frequency for t in triggers], FREQUENCIES),
        "by_shape": dict(Counter(t.wavelet for t in triggers).most_common()),
        "quiet_by_shape": dict(Counter(t.wavelet for t in triggers if t.snr < QUIET).most_common()),
        "by_label": dict(Counter(t.label for t in triggers).most_common()),
        "quiet": sum(t.snr < QUIET for t in triggers),
        "quiet_sure": sum(is_sure_of_quiet(t) for t in triggers),
    }


def _binned(values: Sequence[float], bands: Sequence[tuple[float, float]]) -> list[dict[str, Any]]:
    return [
        {
            "low": low,
            "high": high if np.isfinite(high) else None,
            "count": sum(low <= value < high for value in values),
        }
        for low, high in bands
    ]


def is_sure_of_quiet(trigger: Trigger) -> bool:
    """Return whether a quiet trigger has a high score of something that has a name."""
    named = trigger.label not in (NOISE, UNKNOWN)
    return trigger.snr < QUIET and named and trigger.score > SURE
