"""What a label costs, by what serves the model: ``python -m benchmarks.classification.cost``.

Each back end is loaded in processes of its own, in turn, as a worker loads it, and then labels
one trigger at a time: what the model sees of it, and the model's answer. With ``--compared N``,
simulated triggers are labelled too, and the probabilities compared with TensorFlow's own.
"""

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import affinity, report
from benchmarks.classification import backends
from models.simulation import simulate
from transforms.classify import artefact
from transforms.classify.features import ModelInput, model_input
from transforms.detect.config import DetectConfig
from transforms.elements import Trigger
from transforms.whiten.config import WhitenConfig

HEADS = (
    *("back end", "load [s]", "load [CPU s]", "memory [MB]"),
    *("features [CPU ms]", "inference [CPU ms]", "together [CPU ms]"),
    *("in batches [CPU ms]", "apart", "other labels"),
)
BATCH = 32
SAMPLE_RATE = 4096
GPS_NS = 1_000_000_000 * 10**9
INPUTS = "inputs.npz"
CURVES = ("avirgo_O4high", "kagra_10Mpc", "aligo_O4high", "H1_O3b_measured_asd")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    used = affinity.pin(options.cores)
    if options.alone:
        print(json.dumps(measure(options)))
        return 0
    card = artefact.load_card(options.model or artefact.default_artefact())
    with tempfile.TemporaryDirectory() as scratch:
        options.model, options.scratch = card.folder, Path(scratch)
        rows = _rows(options)
    print(
        f"{card.label}, one trigger at a time and in batches of {BATCH}, {used} core(s): medians "
        f"of {options.triggers} triggers, and of {options.repeats} processes; apart from "
        f"TensorFlow's probabilities at most, of {options.compared} triggers"
    )
    report.print_table(HEADS, [_cells(row) for row in rows])
    for name, package in backends.missing().items():
        print(f"{name} is left out: {package} is not installed")
    figures = {
        **report.provenance(used),
        **{"seed": options.seed, "model": card.label, "rows": rows},
        **{key: getattr(options, key) for key in ("triggers", "repeats", "compared")},
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
    parser.add_argument(
        "--compared", type=int, default=0, metavar="N", help="simulated triggers (20 a second)"
    )
    parser.add_argument("--alone", choices=backends.LOADERS, help="measure one, and print JSON")
    parser.add_argument("--scratch", type=Path, help="where files for --alone are")
    affinity.add_option(parser)
    report.add_options(parser)
    return parser


def _rows(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure each back end, and compare the answers."""
    chosen = [name for name in backends.LOADERS if name not in backends.missing()]
    if backends.LITERT in chosen:
        backends.convert_to_litert(options.model, options.scratch)
    _simulate(options.compared, options.seed, options.scratch / INPUTS)
    rounds = []
    for number in range(options.repeats):
        rounds.append([_in_process_of_its_own(name, options) for name in chosen])
        report.progress(f"round {number + 1} of {options.repeats}")
    rows = [_median(row) for row in zip(*rounds, strict=True)]
    answers = [np.load(_answers(options.scratch, row["backend"])) for row in rows]
    reference = answers[chosen.index(backends.TENSORFLOW)]
    for row, found in zip(rows, answers, strict=True):
        row["apart"] = float(np.abs(found - reference).max(initial=0.0))
        row["other_labels"] = int(np.sum(found.argmax(1) != reference.argmax(1)))
    return rows


def _simulate(count: int, seed: int, path: Path) -> None:
    """Write what the model sees of simulated triggers."""
    config = simulate.SimulationConfig(CURVES, stretches=count, noise_stretches=1)
    made = simulate.simulate(config, WhitenConfig(), DetectConfig(threshold=5.0), (seed,))
    found = [model_input(example.trigger) for example in islice(made, count)]
    spec = artefact.feature_spec()
    image = np.empty((len(found), *spec["image"]), np.float32)
    parameters = np.empty((len(found), len(spec["parameters"])), np.float32)
    for number, one in enumerate(found):
        image[number], parameters[number] = one.image, one.parameters
    np.savez(path, image=image, parameters=parameters)


def _answers(scratch: Path, backend: str) -> Path:
    return scratch / f"{backend}.npy"


def _in_process_of_its_own(backend: str, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.classification.cost", "--alone", backend]
    command += ["--model", str(options.model), "--triggers", str(options.triggers)]
    command += ["--scratch", str(options.scratch), "--seed", str(options.seed), "--cores", "0"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Load one back end in this process and label triggers.

    Returns:
        Time and CPU time of loading, first inference included [s], the memory that it takes
        [bytes], and of a trigger the median CPU times of features, inference, both, and
        inference in batches [ms].
    """
    logging.basicConfig(level=logging.ERROR)
    # Beam is imported before the clock starts, as in a worker.
    import apache_beam  # noqa: F401

    before, wall, cpu = _memory(), time.perf_counter(), time.process_time()
    model = backends.load(options.alone, Path(options.model), options.scratch)
    loaded = {"load": time.perf_counter() - wall, "load_cpu": time.process_time() - cpu}
    loaded["memory"] = _memory() - before
    found = [_trigger(options.seed, number) for number in range(options.triggers)]
    model_input(found[0])  # makes tables that are kept
    inputs = [model_input(one) for one in found]

    def ask(one: ModelInput) -> Any:
        return model(one.image[None], one.parameters[None])

    costs = {
        "features": _each(model_input, found),
        "inference": _each(ask, inputs),
        "together": _each(lambda one: ask(model_input(one)), found),
        "batched": _batched(model, inputs),
    }
    with np.load(options.scratch / INPUTS) as compared:
        singly = zip(compared["image"], compared["parameters"], strict=True)
        answers = [ask(ModelInput(*one)) for one in singly] or [ask(inputs[0])[:0]]
    np.save(_answers(options.scratch, options.alone), np.concatenate(answers))
    return {"backend": options.alone, **loaded, **costs}


def _batched(model: backends.Model, inputs: Sequence[ModelInput]) -> float:
    """Return the median CPU time of a trigger in a batch [ms]."""
    image = np.stack([one.image for one in inputs[:BATCH]])
    parameters = np.stack([one.parameters for one in inputs[:BATCH]])
    model(image, parameters)  # some make room for a batch once
    calls = range(max(1, len(inputs) // BATCH))
    return _each(lambda _: model(image, parameters), calls) / len(image)


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
        *(f"{row[key]:.2f}" for key in ("features", "inference", "together", "batched")),
        f"{row['apart']:.0e}",
        str(row["other_labels"]),
    ]


if __name__ == "__main__":
    sys.exit(main())
