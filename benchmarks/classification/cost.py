"""What a label costs, by back end: ``python -m benchmarks.classification.cost``.

Each back end is loaded in a process of its own, as a worker loads it, and then labels one
trigger at a time: what the model sees of it, and the model's answer.
"""

import argparse
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np

from benchmarks import affinity, report
from transforms.classify import artefact
from transforms.classify.config import BACKENDS
from transforms.classify.features import ModelInput, model_input
from transforms.elements import Trigger

HEADS = (
    *("back end", "load [s]", "load [CPU s]", "memory [MB]"),
    *("features [CPU ms]", "inference [CPU ms]", "together [CPU ms]"),
)
SAMPLE_RATE = 4096
GPS_NS = 1_000_000_000 * 10**9


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    used = affinity.pin(options.cores)
    if options.alone:
        print(json.dumps(measure(options.alone, options.model, options.triggers, options.seed)))
        return 0
    rows = []
    for backend in BACKENDS:
        report.progress(backend)
        rows.append(
            _median([_in_process_of_its_own(backend, options) for _ in range(options.repeats)])
        )
    card = artefact.load_card(options.model or artefact.default_artefact())
    print(
        f"{card.label}, one trigger at a time, {used} core(s): medians of {options.triggers} "
        f"triggers, and of {options.repeats} processes"
    )
    report.print_table(HEADS, [_cells(row) for row in rows])
    figures = {
        **report.provenance(used),
        **{"seed": options.seed, "model": card.label, "rows": rows},
        **{"triggers": options.triggers, "repeats": options.repeats},
    }
    report.write_json(options.json, figures)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.classification.cost", description=__doc__
    )
    parser.add_argument("--model", default="", metavar="FOLDER", help="default: the packaged one")
    parser.add_argument("--triggers", type=int, default=500, metavar="N")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="processes each")
    parser.add_argument("--alone", choices=BACKENDS, help="measure one here, and print JSON")
    affinity.add_option(parser)
    report.add_options(parser)
    return parser


def _in_process_of_its_own(backend: str, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.classification.cost", "--alone", backend]
    command += ["--model", options.model, "--triggers", str(options.triggers)]
    command += ["--seed", str(options.seed), "--cores", "0"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def measure(backend: str, folder: str, triggers: int, seed: int) -> dict[str, Any]:
    """Load one back end in this process and label triggers.

    Returns:
        Time and CPU time of loading [s], the memory that it takes [bytes], and of a trigger
        the median CPU times of features, inference and both [ms].
    """
    logging.basicConfig(level=logging.ERROR)
    # Only now: Beam is imported before the clock starts, as in a worker.
    from transforms.classify.handler import SavedModelHandler

    card = artefact.load_card(folder or artefact.default_artefact())
    handler = SavedModelHandler(folder, card.id, backend)
    before, wall, cpu = _memory(), time.perf_counter(), time.process_time()
    model = handler.load_model()
    loaded = {"load": time.perf_counter() - wall, "load_cpu": time.process_time() - cpu}
    loaded["memory"] = _memory() - before
    found = [_trigger(seed, number) for number in range(triggers)]
    model_input(found[0])  # makes tables that are kept
    inputs = [model_input(one) for one in found]

    def ask(one: ModelInput) -> list[Any]:
        return list(handler.run_inference([one], model))

    return {
        "backend": backend,
        **loaded,
        "features": _each(model_input, found),
        "inference": _each(ask, inputs),
        "together": _each(lambda one: ask(model_input(one)), found),
    }


def _each(call: Callable[[Any], Any], given: Sequence[Any]) -> float:
    """Return the median CPU time of a call [ms]."""
    spent = []
    for one in given:
        begin = time.process_time()
        call(one)
        spent.append(time.process_time() - begin)
    return 1e3 * median(spent)


def _memory() -> int:
    """Return the resident memory of this process [bytes]."""
    with open("/proc/self/status", encoding="ascii") as file:
        (line,) = [line for line in file if line.startswith("VmRSS")]
    return 1024 * int(line.split()[1])


def _trigger(seed: int, number: int) -> Trigger:
    """Make a trigger on white noise: what its snippet holds changes no cost."""
    samples = np.random.default_rng((seed, number)).standard_normal(2 * SAMPLE_RATE)
    peak = GPS_NS + 1_500_000_000
    return Trigger(
        id=str(number),
        ifo="H1",
        channel="H1:TEST",
        time_ns=peak,
        start_ns=peak,
        end_ns=peak,
        frequency=150.0,
        low_frequency=120.0,
        high_frequency=180.0,
        bandwidth=60.0,
        duration=0.02,
        q=6.0,
        snr=9.0,
        rank=9.0,
        amplitude=1e-22,
        phase=0.0,
        wavelet="morlet",
        tiles=4,
        dq=(),
        config="benchmark",
        data_time_ns=GPS_NS,
        snippet=samples.astype(np.float32).tobytes(),
        snippet_rate=SAMPLE_RATE,
        snippet_start_ns=GPS_NS,
    )


def _median(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    numbers = [key for key in rows[0] if key != "backend"]
    return {**rows[0], **{key: median(row[key] for row in rows) for key in numbers}}


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        row["backend"],
        *(f"{row[key]:.2f}" for key in ("load", "load_cpu")),
        f"{row['memory'] * 1e-6:.0f}",
        *(f"{row[key]:.2f}" for key in ("features", "inference", "together")),
    ]


if __name__ == "__main__":
    sys.exit(main())
