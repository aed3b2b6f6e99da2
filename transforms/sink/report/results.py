"""What the report tells of: an output folder's results, read once."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.arrays import FloatArray
from transforms.elements import DeadLetter, Segment
from transforms.gps import to_seconds
from transforms.sink import folder, writers
from transforms.sink.segments import livetime
from transforms.sink.writers import Provenance, Snippet


@dataclass(frozen=True)
class Results:
    """All that a run left."""

    provenance: Provenance
    config_text: str
    triggers: Any
    """Table of the triggers (pyarrow), by time."""
    events: Any
    """Table of the events (pyarrow), by time."""
    segments: list[Segment]
    dead_letters: list[DeadLetter]
    snippets: dict[str, Snippet]

    @classmethod
    def read(cls, output: Path) -> "Results":
        """Read a folder.

        Raises:
            OutputError: If there are none of our results.
        """
        config = output / folder.CONFIG
        return cls(
            provenance=writers.read_provenance(output),
            config_text=config.read_text(encoding="utf-8", errors="replace")
            if config.is_file()
            else "",
            triggers=writers.read_triggers(output),
            events=writers.read_events(output),
            segments=writers.read_segments(output),
            dead_letters=writers.read_dead_letters(output),
            snippets=writers.read_snippets(output),
        )

    @cached_property
    def channels(self) -> list[str]:
        """The channels that were looked at, or have triggers."""
        seen = {segment.channel for segment in self.segments}
        return sorted(seen | set(np.unique(self._channel).tolist()))

    @cached_property
    def livetime(self) -> dict[str, float]:
        """How long each channel was analysed [s]."""
        return dict.fromkeys(self.channels, 0.0) | livetime(self.segments)

    @cached_property
    def span(self) -> tuple[float, float] | None:
        """GPS times [s] between which all segments and triggers lie; None without any."""
        times = self.numbers("time")
        starts = [to_seconds(each.start_ns) for each in self.segments] + times[:1].tolist()
        ends = [to_seconds(each.end_ns) for each in self.segments] + times[-1:].tolist()
        return (min(starts), max(ends)) if starts else None

    def numbers(self, column: str) -> FloatArray:
        """Return a column of numbers, [trigger]."""
        return np.asarray(self.triggers[column].to_numpy(), np.float64)

    def texts(self, column: str) -> npt.NDArray[np.str_]:
        """Return a column of texts, [trigger]."""
        return np.asarray(self.triggers[column].to_pylist(), dtype=np.str_)

    def of_channel(self, channel: str) -> npt.NDArray[np.bool_]:
        """Return which triggers are of a channel, [trigger]."""
        return np.asarray(self._channel == channel)

    @cached_property
    def _channel(self) -> npt.NDArray[np.str_]:
        return self.texts("channel")

    def loudest(self, count: int) -> list[dict[str, Any]]:
        """Return the rows of the loudest triggers, loudest first; ids settle ties."""
        order = self.triggers.sort_by([("snr", "descending"), ("id", "ascending")])
        rows: list[dict[str, Any]] = order.slice(0, count).to_pylist()
        return rows

    def loudest_events(self, count: int) -> list[dict[str, Any]]:
        """Return the rows of the events of the highest rank, highest first; ids settle ties."""
        order = self.events.sort_by([("rank", "descending"), ("id", "ascending")])
        rows: list[dict[str, Any]] = order.slice(0, count).to_pylist()
        return rows

    def loudest_snippets(self, count: int) -> list[dict[str, Any]]:
        """Return the rows of the loudest triggers whose strain was kept, loudest first.

        Every channel has its turn, so that a noisy one does not hide the others.
        """
        has_strain = [name in self.snippets for name in self.triggers["id"].to_pylist()]
        kept = self.triggers.filter(pa.array(has_strain, pa.bool_()))
        rows = kept.sort_by([("snr", "descending"), ("id", "ascending")]).to_pylist()
        rank: dict[str, int] = {}
        ranked = []
        for row in rows:
            rank[row["channel"]] = rank.get(row["channel"], 0) + 1
            ranked.append((rank[row["channel"]], row))
        chosen = [row for _, row in sorted(ranked, key=lambda each: each[0])[:count]]
        return sorted(chosen, key=lambda row: (-row["snr"], row["id"]))
