"""From a plan to a block: read the pieces, across files, and check that they are sound."""

import os

import numpy as np

from transforms import gps
from transforms.elements import Block, BlockPlan
from transforms.ingest import resample
from transforms.ingest.config import IngestConfig
from transforms.ingest.errors import DataError
from transforms.ingest.files import formats
from transforms.ingest.files.plan import plan
from transforms.ingest.reach import Reach

_ALONE = Reach(past_ns=0, future_ns=0, warm_up_ns=0)
_UNCUT_NS = 1 << 62


def read_file(
    path: str | os.PathLike[str], config: IngestConfig | None = None, minimum_seconds: int = 16
) -> list[Block]:
    """Read all good strain of a file, for scripts and notebooks.

    Args:
        path: A file of any format that is read.
        config: Which channels and data-quality bits; the defaults without one.
        minimum_seconds: Shortest contiguous good data that are returned [s].

    Returns:
        A block for each segment, by channel and time, which answers for all of it.

    Raises:
        DataError: The file, or a part of it, cannot be used.
    """
    spans = formats.inspect(os.fspath(path), config or IngestConfig())
    minimum_ns = minimum_seconds * gps.NANOSECONDS
    return [
        read_block(wanted)
        for channel in sorted({span.channel for span in spans})
        for wanted in plan(
            [span for span in spans if span.channel == channel], _ALONE, minimum_ns, _UNCUT_NS
        ).blocks
    ]


def read_block(plan: BlockPlan) -> Block:
    """Read the strain of a planned block.

    Raises:
        DataError: A file has changed since it was inspected.
    """
    data, start_ns = _read(plan)
    if not np.isfinite(np.frombuffer(data)).all():
        paths = ", ".join(dict.fromkeys(piece.path for piece in plan.pieces))
        raise DataError(
            f"{paths}: not finite where inspection found all finite; run again with files at rest"
        )
    return Block(
        ifo=plan.ifo,
        channel=plan.channel,
        sample_rate=plan.sample_rate,
        gps_start_ns=start_ns,
        data=data,
        segment_start_ns=plan.segment_start_ns,
        segment_end_ns=plan.segment_end_ns,
        analyse_start_ns=plan.analyse_start_ns,
        analyse_end_ns=plan.analyse_end_ns,
        flags=plan.flags,
    )


def _read(plan: BlockPlan) -> tuple[bytes, int]:
    """Return the strain at the plan's rate, float64 [time] as bytes, and its start [ns]."""
    rate = plan.sample_rate
    start_ns, end_ns = plan.pieces[0].start_ns, plan.pieces[-1].end_ns
    parts = [
        formats.read_native(piece.path, plan.channel, piece.start_ns, piece.end_ns)
        for piece in plan.pieces
    ]
    rates = {file_rate for _, file_rate in parts}
    if len(rates) > 1:
        raise DataError(f"{plan.pieces[0].path}: its rate is not that of the next file any more")
    (file_rate,) = rates
    samples = [part for part, _ in parts]
    if file_rate == rate:
        return b"".join(part.data for part in samples), start_ns
    # Here, not file by file: the borders between files then leave no trace.
    margin = resample.margin_ns(rate)
    span = gps.to_index(start_ns + margin, rate), gps.to_index(end_ns - margin, rate)
    first = gps.to_index(start_ns, file_rate)
    resampled = resample.resample(np.concatenate(samples), first, file_rate, rate, span)
    return resampled.tobytes(), start_ns + margin
