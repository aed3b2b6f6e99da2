"""A dress rehearsal: a live job on a real cluster and broker, with faults in its data and kills.

What it publishes must be what the archive's job finds in the same data, and every frame must
be accounted for.
"""

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from beam_pipeline.config import PipelineConfig, parse_config
from benchmarks import affinity, report
from benchmarks.rehearsal.assertions import judge, lines
from benchmarks.rehearsal.commands import CommandFailed
from benchmarks.rehearsal.monitor import refuse_company
from benchmarks.rehearsal.plan import IFOS, ROOM_S, SLACK_S, Plan
from benchmarks.rehearsal.sequence import perform
from benchmarks.rehearsal.servers import KILLS, TASKMANAGER, UPGRADE, end_all
from flink import parts
from flink.processes import Problem
from transforms.broker import BrokerError
from transforms.ingest.config import FORMATS

SHORT = 600
"""Up to so many frames, the rehearsal is short: fewer kills, and a short past for the spectrum."""
FAULTS = {"duplicate": 0.02, "reorder": 0.02}
DELAYS = {2.0: 0.02, 8.0: 0.001}
"""Probabilities of delays [s]: in time, and too late."""
LOSSES = {"drop": 0.001, "corrupt": 0.001}
SHORT_LOSS = 0.005
"""Of each way to lose a frame, where the rehearsal is short: of all detectors together, as a kill
waits until all of them give results."""
SPEED = 8.0
"""Times real time, at most: data must go on until all kills are recovered from."""
OVERHEAD_S = 900.0
"""Starts, the last minute's files and the ends of all servers take less [s]."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Rehearse and judge: 0 if nothing was lost, missing, extra, differing or corrupted."""
    options = _parser().parse_args(arguments)
    # As Ctrl-C: everything ends in order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = _plan(options)
    folder = Path(tempfile.mkdtemp(prefix="rehearsal-"))
    try:
        if plan.monitored:
            refuse_company()
        verdict = judge(plan, perform(plan, folder))
    except (CommandFailed, TimeoutError, Problem, BrokerError, RuntimeError) as error:
        sys.stderr.write(f"rehearsal: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("rehearsal: interrupted\n")
        return 130
    finally:
        end_all(folder)
        if options.keep:
            sys.stderr.write(f"rehearsal: logs and results are in {folder}\n")
        else:
            shutil.rmtree(folder)
    report.print_table(["what", "found"], list(lines(verdict.figures)))
    for line in verdict.complaints:
        print(line)
    end = {"good": verdict.good, "complaints": verdict.complaints}
    report.write_json(options.json, {**_provenance(plan), **verdict.figures, **end})
    return 0 if verdict.good else 1


def _provenance(plan: Plan) -> dict[str, Any]:
    made = report.provenance(affinity.pin(0))
    java = parts.versions()
    for name in ("flink", "kafka"):
        made["versions"][name] = java[f"{name}.version"]
    made["versions"]["beam, java runner"] = java["beam.version"]
    return {**made, "frames": plan.frames, "seed": plan.seed, "speed": plan.speed}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rehearsal.run", description=__doc__)
    parser.add_argument("--frames", type=int, default=14400, metavar="N", help="of a second each")
    text = f"times real time (default: as fast as leaves time to recover, at most {SPEED:g})"
    parser.add_argument("--speed", type=float, metavar="X", help=text)
    parser.add_argument("--detectors", type=int, choices=range(1, len(IFOS) + 1), default=1)
    text = "what is killed, in turn (default: all; of a short rehearsal, a TaskManager and the job)"
    parser.add_argument("--kills", nargs="*", choices=KILLS, default=None, help=text)
    parser.add_argument("--format", choices=FORMATS, default=FORMATS[0])
    text = "have Prometheus look on; needs a network namespace of its own"
    parser.add_argument("--monitor", action="store_true", help=text)
    parser.add_argument("--keep", action="store_true", help="leave logs and results")
    report.add_options(parser)
    # Of 300 frames, it befalls some with each fault, and leaves results to be late with a kill.
    parser.set_defaults(seed=543)
    return parser


def _plan(options: argparse.Namespace) -> Plan:
    short = options.frames <= SHORT
    kills = options.kills
    if kills is None:
        kills = [TASKMANAGER, UPGRADE] if short else list(KILLS)
    lasting_s = sum(ROOM_S[what] + SLACK_S for what in kills)
    speed = options.speed or min(SPEED, options.frames / max(1.0, lasting_s))
    return Plan(
        frames=options.frames,
        seed=options.seed,
        speed=speed,
        detectors=options.detectors,
        kills=tuple(kills),
        wire=options.format,
        faults=tuple(_faults(SHORT_LOSS / options.detectors if short else None)),
        config=_science(short),
        deadline_s=OVERHEAD_S + 2 * options.frames / speed + 120.0 * len(kills),
        monitored=options.monitor,
    )


def _science(short: bool) -> PipelineConfig:
    science = {"ingest": {"quiet_seconds": 20.0}}
    if short:
        science["whiten"] = {"psd_seconds": 32, "update_seconds": 32}
    return parse_config(science)


def _faults(loss: float | None) -> list[str]:
    """Return the options of the replay."""
    found = [f"--{kind}={chance}" for kind, chance in FAULTS.items()]
    found += [f"--{kind}={loss or chance}" for kind, chance in LOSSES.items()]
    late = max(DELAYS)
    chances = {**DELAYS, late: loss or DELAYS[late]}
    return [*found, *(f"--delay={chance}:{seconds}" for seconds, chance in chances.items())]


if __name__ == "__main__":
    sys.exit(main())
