"""The drawing of the GPS grid, to scale, of the default configuration.

``python -m docs.tools.grid`` writes it.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from beam_pipeline.config import PipelineConfig
from transforms.detect.sessions import Sessions
from transforms.detect.surroundings import future_seconds, margin_seconds
from transforms.gps import NANOSECONDS
from transforms.whiten.whitening import future_needed, past_needed

PICTURE = Path(__file__).parents[1] / "images" / "grid.svg"
WIDTH, LEFT, ROW, BAR = 1000, 190, 34, 20
OWN, AROUND, LATER, FRAME = "#1f77b4", "#c6dbef", "#fdd0a2", "#e5e5e5"


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A stretch of GPS time across the picture."""

    first: float
    """Time at the left end [s]."""
    last: float
    """Time at the right end [s]."""
    top: int
    """Where it begins [px]."""

    def x(self, time: float) -> float:
        """Return where a time lies [px]."""
        return LEFT + (WIDTH - LEFT - 20) * (time - self.first) / (self.last - self.first)

    def y(self, row: int) -> int:
        """Return where a row begins [px]."""
        return self.top + ROW * row

    def bar(self, row: int, span: tuple[float, float], colour: str, said: str = "") -> str:
        """Draw a stretch, with what it is in its middle."""
        left, right = self.x(span[0]), self.x(span[1])
        box = (
            f'<rect x="{left:.1f}" y="{self.y(row)}" width="{right - left:.1f}" height="{BAR}"'
            f' fill="{colour}" stroke="#444" stroke-width="0.6"/>'
        )
        fill = "#fff" if colour == OWN else "#222"
        middle = (left + right) / 2
        return box + _text(middle, self.y(row) + 14, said, anchor="middle", fill=fill)

    def name(self, row: int, said: str) -> str:
        """Draw the name of a row."""
        return _text(10, self.y(row) + 14, said)

    def ticks(self, row: int, times: list[float], rows: int) -> str:
        """Draw lines over some rows below, with their times."""
        top, bottom = self.y(row) + 6, self.y(row + rows)
        return "".join(
            f'<line x1="{self.x(t):.1f}" y1="{top}" x2="{self.x(t):.1f}" y2="{bottom}"'
            ' stroke="#999" stroke-width="0.6" stroke-dasharray="3 3"/>'
            + _text(self.x(t), self.y(row), f"{t:g}", anchor="middle")
            for t in times
        )

    def arrow(self, rows: tuple[int, int], time: float) -> str:
        """Draw an arrow from the bottom of one row to the top of another."""
        x = self.x(time)
        return (
            f'<line x1="{x:.1f}" y1="{self.y(rows[0]) + BAR}" x2="{x:.1f}" y2="{self.y(rows[1])}"'
            ' stroke="#d62728" stroke-width="1.6" marker-end="url(#head)"/>'
        )


def _text(x: float, y: float, said: str, anchor: str = "start", fill: str = "#222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}">{said}</text>'


def block(config: PipelineConfig, top: int) -> Iterator[str]:
    """Draw a block of an archive, what it holds, and its spectra."""
    margin_ns = margin_seconds(config.whiten, config.detect) * NANOSECONDS
    past = past_needed(config.whiten, margin_ns) / NANOSECONDS
    future = future_needed(config.whiten, margin_ns) / NANOSECONDS
    long, step = config.ingest.block_seconds, config.whiten.update_seconds
    axis = Axis(first=-1.15 * past, last=1.3 * long, top=top)
    yield _text(10, top - 34, "A block of an archive [s from its start]")
    yield axis.ticks(0, [float(t) for t in range(-step, long + step, step)], 6)
    yield axis.name(1, "answers for")
    yield axis.bar(1, (0, long), OWN, f"block: {long} s, on multiples of {long} s of GPS time")
    yield axis.name(2, "holds")
    yield axis.bar(2, (-past, 0), AROUND, f"past {past:g} s")
    yield axis.bar(2, (0, long), OWN, "the strain of the block itself")
    yield axis.bar(2, (long, long + future), LATER)
    yield _text(axis.x(long + future) + 4, axis.y(2) + 14, f"future {future:g} s")
    yield axis.name(3, "spectrum made of")
    yield axis.name(4, "... and in force")
    for start in range(0, long, step):
        made = start - config.whiten.psd_seconds, start
        yield axis.bar(3, made, AROUND, f"{config.whiten.psd_seconds} s")
        yield axis.bar(4, (start, start + step), FRAME, f"{step} s")
    yield axis.name(5, "the next block")
    yield axis.bar(5, (long - past, long), AROUND, f"past {past:g} s")
    yield axis.bar(5, (long, axis.last), OWN, "answers for")


def second(config: PipelineConfig, top: int) -> Iterator[str]:
    """Draw one second of live strain, and what waits for what."""
    whiten = config.whiten
    sessions = Sessions.of(config.detect)
    searched = future_seconds(config.whiten, config.detect)
    depends = searched + whiten.lookahead_seconds
    final = (sessions.back_ns + sessions.reach_ns) / NANOSECONDS
    axis = Axis(first=-2.3, last=5.4, top=top)
    yield _text(10, top - 34, "A hop of live strain [s from its start]")
    yield axis.ticks(0, [float(t) for t in range(-2, 6)], 7)
    yield axis.name(1, "frames, as they come")
    for t in range(-2, 5):
        yield axis.bar(1, (t, t + 1), OWN if t == 0 else FRAME, "hop" if t == 0 else "frame")
    yield axis.name(2, "whitened from")
    yield axis.bar(2, (-whiten.past_seconds, 0), AROUND, f"past {whiten.past_seconds:g} s")
    yield axis.bar(2, (0, 1), OWN, "hop")
    yield axis.bar(2, (1, 1 + whiten.lookahead_seconds), LATER)
    ahead = f"look ahead {whiten.lookahead_seconds:g} s"
    yield _text(axis.x(1 + whiten.lookahead_seconds) + 4, axis.y(2) + 14, ahead)
    yield axis.name(3, "searched with")
    yield axis.bar(3, (axis.first, 0), AROUND, "longest wavelets, shapes of 3 s")
    yield axis.bar(3, (0, 1), OWN, "hop")
    yield axis.bar(3, (1, 1 + depends), LATER, f"{depends:.2f} s")
    yield axis.name(4, "so the hop waits for")
    yield axis.bar(4, (1, 2), LATER, "the next frame")
    yield axis.name(5, "published")
    yield axis.bar(5, (2, 2.95), OWN, "first message")
    yield axis.name(6, "final after")
    yield axis.bar(6, (1, 1 + final), LATER, f"{final:.2f} s more are searched, or are a gap")
    yield axis.arrow((3, 4), 1 + depends)
    yield axis.arrow((4, 5), 2.0)


def picture(config: PipelineConfig) -> str:
    """Return the drawing as SVG."""
    top = 60
    between = top + 7 * ROW + 60
    height = between + 7 * ROW + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        ' font-family="sans-serif" font-size="12">',
        '<defs><marker id="head" markerWidth="8" markerHeight="8" refX="6" refY="4" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#d62728"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        *block(config, top),
        *second(config, between),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main() -> int:
    """Write the drawing."""
    argparse.ArgumentParser(prog="docs.tools.grid", description=__doc__).parse_args()
    PICTURE.write_text(picture(PipelineConfig()), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
