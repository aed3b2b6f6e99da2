"""The whitening stage of the graph."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import apache_beam as beam
from apache_beam.pvalue import PCollection, TaggedOutput
from apache_beam.typehints.decorators import no_annotations

from transforms.coders import SEGMENTS, TaggedSegment
from transforms.elements import Block, Segment, Whitened
from transforms.kinds import SegmentKind
from transforms.observe.record import Spent, recorder
from transforms.refusal import Refuse, refuse_none, refused
from transforms.whiten.config import WhitenConfig
from transforms.whiten.whitening import valid_range, whiten


class White(NamedTuple):
    """The outputs of whitening."""

    whitened: PCollection[Whitened]
    """In the order of the blocks; one without strain is a gap."""
    segments: PCollection[Segment]


@dataclass(kw_only=True)
class Whiten(beam.PTransform):  # type: ignore[misc]
    """Blocks of strain to blocks of white noise, and to the segments analysed.

    Strain of a rate that cannot be searched is a segment with the reason, and nothing is
    whitened of it.
    """

    config: WhitenConfig
    margin_ns: int
    """Whitened strain that detection wants around the analysed stretch [ns]."""
    refuse: Refuse = refuse_none

    @no_annotations  # type: ignore[untyped-decorator]
    def expand(self, blocks: PCollection[Block]) -> White:
        """Wire the stage."""
        found = blocks | "Filter" >> beam.ParDo(
            _Whiten(self.config, self.margin_ns, self.refuse)
        ).with_outputs(SEGMENTS, main="whitened", allow_unknown_tags=False)
        return White(whitened=found.whitened, segments=found[SEGMENTS])


class _Whiten(beam.DoFn):  # type: ignore[misc]
    def __init__(self, config: WhitenConfig, margin_ns: int, refuse: Refuse) -> None:
        self._config = config
        self._margin_ns = margin_ns
        self._refuse = refuse

    def process(self, block: Block) -> Iterator[Whitened | TaggedSegment]:
        """Whiten one block and say what of it is analysed; pass on that nothing is."""
        if not block.data:
            yield _nothing(block)
            return
        if reason := self._refuse(block.sample_rate):
            yield TaggedOutput(SEGMENTS, refused(block, reason))
            yield _nothing(block)
            return
        for segment in analysed(block, self._config):
            yield TaggedOutput(SEGMENTS, segment)
        with Spent("whiten"):
            white = whiten(block, self._config, self._margin_ns)
        if (record := recorder()) is not None:
            record.whitened(white)
        yield white


def _nothing(block: Block) -> Whitened:
    begin, end = block.analyse_start_ns, block.analyse_end_ns
    return Whitened(
        ifo=block.ifo,
        channel=block.channel,
        sample_rate=block.sample_rate,
        gps_start_ns=begin,
        data=b"",
        valid_start_ns=begin,
        valid_end_ns=begin,
        analyse_start_ns=begin,
        analyse_end_ns=end,
        asd=b"",
        asd_start_ns=begin,
        asd_step_ns=0,
        asd_resolution=0.0,
        response=b"",
        arrived_ns=block.arrived_ns,
    )


def analysed(block: Block, config: WhitenConfig) -> Iterator[Segment]:
    """Tile a block's analysed stretch: what lies in the filter's valid range, and what not."""
    start, end = block.analyse_start_ns, block.analyse_end_ns
    low, high = valid_range((block.segment_start_ns, block.segment_end_ns), config)
    cuts = [start, min(max(low, start), end), max(min(high, end), start), end]
    for i, (a, b) in enumerate(pairwise(cuts)):
        if a < b:
            yield (
                Segment(ifo=block.ifo, channel=block.channel, start_ns=a, end_ns=b, analysed=True)
                if i == 1
                else _edge(block, a, b)
            )


def _edge(block: Block, start_ns: int, end_ns: int) -> Segment:
    kind = SegmentKind.FILTER_EDGE
    return Segment(
        ifo=block.ifo,
        channel=block.channel,
        start_ns=start_ns,
        end_ns=end_ns,
        analysed=False,
        reason=kind.value,
        kind=kind,
    )
