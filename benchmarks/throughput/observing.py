"""What it costs to count what a stage does: ``python -m benchmarks.throughput.observing``.

Processor time of one call of each kind, the least of some, as others work on this machine too.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import report
from transforms.elements import Block, Frame, PendingClusters, Whitened
from transforms.gps import NANOSECONDS as S
from transforms.ingest.kafka.crashes import Marks
from transforms.observe.record import Recorder

IFO, CHANNEL, RATE = "H1", "H1:STRAIN", 4096


def calls(record: Recorder) -> Mapping[str, Callable[[], None]]:
    """Return what is called for each second of a channel, by what it counts."""
    now_ns = time.time_ns()
    data = np.ones(RATE).tobytes()
    frame = Frame(
        ifo=IFO,
        channel=CHANNEL,
        sample_rate=RATE,
        gps_start_ns=10**9 * S,
        data=data,
        arrived_ns=now_ns,
    )
    block = Block(
        ifo=IFO,
        channel=CHANNEL,
        sample_rate=RATE,
        gps_start_ns=0,
        data=data,
        segment_start_ns=0,
        segment_end_ns=S,
        analyse_start_ns=0,
        analyse_end_ns=S,
    )
    white = Whitened(
        ifo=IFO,
        channel=CHANNEL,
        sample_rate=RATE,
        gps_start_ns=0,
        data=b"",
        valid_start_ns=0,
        valid_end_ns=S,
        analyse_start_ns=0,
        analyse_end_ns=S,
        asd=np.full((1, 8193), 1e-23, np.float32).tobytes(),
        asd_start_ns=0,
        asd_step_ns=128 * S,
        asd_resolution=0.25,
        response=b"",
        arrived_ns=now_ns,
    )
    return {
        "frame": lambda: record.frame(frame),
        "block": lambda: record.block(block),
        "whitened": lambda: record.whitened(white),
        "searched": lambda: record.searched(white, 3),
        "followed": lambda: record.followed(
            CHANNEL, PendingClusters(since_ns=0, searched_ns=S), cut=False
        ),
    }


def _mark(marks: Marks) -> None:
    """Mark a message, as is done before it is decoded."""
    marks.deaths("strain.H1/0/123456789")
    marks.begin("strain.H1/0/123456789")
    marks.end()


def cost(call: Callable[[], None], repeats: int, times: int) -> float:
    """Return the processor time of a call [s]: the least of some repeats, of so many calls each."""
    each = []
    for _ in range(repeats):
        begun = time.thread_time()
        for _ in range(times):
            call()
        each.append((time.thread_time() - begun) / times)
    return min(each)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput.observing", description=__doc__
    )
    parser.add_argument("--repeats", type=int, default=20, metavar="N")
    parser.add_argument("--calls", type=int, default=200, metavar="N", help="of each repeat")
    report.add_options(parser)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        marks = Marks("observing", Path(folder, "marks"))
        every: dict[str, Callable[[], None]] = {
            **calls(Recorder(Path(folder))),
            "marked": partial(_mark, marks),
        }
        found = {name: cost(call, options.repeats, options.calls) for name, call in every.items()}
        marks.close()
    report.print_table(["call", "[us]"], [(name, f"{1e6 * s:.1f}") for name, s in found.items()])
    figures = {"call_s": found, "repeats": options.repeats, "calls": options.calls}
    report.write_json(options.json, {**report.provenance(1), **figures})
    return 0


if __name__ == "__main__":
    sys.exit(main())
