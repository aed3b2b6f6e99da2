"""Simulated sets on disk: what each detector saw of noise, and of signals.

Each stretch is a task of a pool, and a file that appears whole: what was interrupted goes on from
the files that are there. They lie in a folder that is named after all that they depend on.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models import environment, pool
from models.evaluation.evaluate import asked
from models.simulation import network
from models.simulation.injections import Injection
from models.simulation.matching import OWN_PART, REACH, find
from models.simulation.matching import Stretch as Made
from models.simulation.network import NetworkConfig, Signal
from models.simulation.simulate import Progress
from models.training import work
from transforms.classify import answers, artefact
from transforms.classify.onnx import OnnxModel
from transforms.coincide.arrivals import arrival
from transforms.detect.config import DetectConfig
from transforms.elements import Arrival, Trigger
from transforms.files import whole_file
from transforms.gps import from_seconds
from transforms.whiten.config import WhitenConfig

NOISE, SIGNALS = "noise", "signals"
NOTHING, PART = -1, -2
"""Causes of an arrival that lies in no transient, and in one that does not explain it."""
_SOURCES = (
    "models.ranking.sets",
    "models.simulation.background",
    "models.simulation.injections",
    "models.simulation.matching",
    "models.simulation.network",
    "models.simulation.noise",
    "models.simulation.signals",
    "models.simulation.sky",
    "models.simulation.waveforms",
    "transforms.classify.features",
    "transforms.coincide.arrivals",
    "transforms.detect",
    "transforms.whiten",
)
"""Modules, and packages with all inside, that the sets are made by."""
_NESTED = ("probabilities", "dq", "injections")
_PLAIN = tuple(each.name for each in fields(Arrival) if each.name not in (*_NESTED, "waveform"))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What sets are made of, and where they are kept."""

    work: Path
    network: NetworkConfig = field(default_factory=NetworkConfig)
    whitening: WhitenConfig = field(default_factory=WhitenConfig)
    detection: DetectConfig = field(default_factory=DetectConfig)
    processes: int = 1

    def folder(self, kind: str, seed: int) -> Path:
        """Return where the stretches of a set lie."""
        return self.work / self._key / f"{kind}-{seed}"

    @property
    def _key(self) -> str:
        told = {
            "network": asdict(self.network),
            "detectors": {name: asdict(one) for name, one in network.DETECTORS.items()},
            "whiten": asdict(self.whitening),
            "detect": asdict(self.detection),
            "model": artefact.load_card(artefact.default_artefact()).id,
            "versions": environment.versions(),
            "sources": work.sources(_SOURCES),
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a detector saw of a stretch."""

    ifo: str
    start_ns: int
    end_ns: int
    """The stretch that was analysed [GPS ns]."""
    arrivals: tuple[Arrival, ...]
    """In the order of their times."""
    causes: tuple[int, ...]
    """Number of the stretch's transient that each is of; or ``NOTHING``, or ``PART``."""


@dataclass(frozen=True, kw_only=True)
class SeenSignals:
    """What all detectors saw of a stretch with signals."""

    signals: tuple[Signal, ...]
    seen: tuple[Seen, ...]
    """Of each detector, in the order of the configuration."""


@dataclass(frozen=True)
class _Task:
    plan: Plan
    kind: str
    seed: int
    number: int
    ifo: str
    path: Path


def noise(
    plan: Plan, seed: int, stretches: int, progress: Progress = lambda *_: None
) -> dict[str, list[Seen]]:
    """Return stretches of noise of each detector, in order; make those that are missing.

    Args:
        plan: What, and where.
        seed: See `models.simulation.network.noise_stretch`.
        stretches: How many, of each detector.
        progress: Told after each file.

    Raises:
        models.pool.PoolError: A process was killed.
    """
    folder = plan.folder(NOISE, seed)
    tasks = [
        _Task(plan, NOISE, seed, number, ifo, folder / f"{ifo}-{number:06d}.npz")
        for number in range(stretches)
        for ifo in plan.network.detectors
    ]
    _make(tasks, plan.processes, progress)
    return {
        ifo: [_read(task.path)[0] for task in tasks if task.ifo == ifo]
        for ifo in plan.network.detectors
    }


def signals(
    plan: Plan, seed: int, count: int, progress: Progress = lambda *_: None
) -> list[SeenSignals]:
    """Return stretches with so many signals or more, in order; make those that are missing.

    Args:
        plan: What, and where.
        seed: See `models.simulation.network.signal_stretch`.
        count: Of signals.
        progress: Told after each file.

    Raises:
        ValueError: LAL is missing, or a stretch is too short for a signal.
        models.pool.PoolError: A process was killed.
    """
    folder, held = plan.folder(SIGNALS, seed), 0
    found: list[SeenSignals] = []
    while held < count:
        # As many as what is there lets expect, and one at first.
        more = max(1, -(-(count - held) * len(found) // max(held, 1)))
        numbers = range(len(found), len(found) + more)
        tasks = [
            _Task(plan, SIGNALS, seed, number, "", folder / f"{number:06d}.npz")
            for number in numbers
        ]
        _make(tasks, plan.processes, progress)
        found += [_read_signals(task.path) for task in tasks]
        held = sum(len(one.signals) for one in found)
        if not held:
            raise ValueError(f"stretches of {plan.network.seconds} s hold no signal: make longer")
    return found


def live_seconds(seen: Sequence[Seen]) -> float:
    """Return how much was analysed [s]."""
    return sum(one.end_ns - one.start_ns for one in seen) / 1e9


def _make(tasks: Sequence[_Task], processes: int, progress: Progress) -> None:
    missing = [task for task in tasks if not task.path.is_file()]
    done = len(tasks) - len(missing)
    for _ in pool.each(_write, missing, max(1, min(processes, len(missing)))):
        done += 1
        progress(f"simulating {tasks[0].kind}", done, len(tasks))


def _write(task: _Task) -> None:
    """Simulate a stretch, look at it, and write what was seen."""
    plan = task.plan
    given = task.number, plan.network, plan.whitening, task.seed
    if task.kind == NOISE:
        made = network.noise_stretch(task.ifo, *given)
        _store(task.path, [seen(made, plan)], ())
    else:
        stretch = network.signal_stretch(*given)
        _store(task.path, [seen(made, plan, OWN_PART) for made in stretch.heard], stretch.signals)


def seen(made: Made, plan: Plan, least: float = 0.0) -> Seen:
    """Search a stretch and label what is found.

    Args:
        made: Strain, and the truth about it.
        plan: Of the pipeline.
        least: Part of an arrival's SNR that its cause must explain.
    """
    block = made.block
    start, end = block.analyse_start_ns, block.analyse_end_ns
    found = find(block, plan.whitening, plan.detection)
    # What goes on from before may peak there: it is no part of this stretch.
    kept = [trigger for trigger in found if start <= trigger.time_ns < end]
    found = sorted(kept, key=lambda trigger: (trigger.time_ns, trigger.id))
    return Seen(
        ifo=block.ifo,
        start_ns=start,
        end_ns=end,
        arrivals=tuple(arrival(labelled(trigger)) for trigger in found),
        causes=tuple(_cause(trigger, made.injections, least) for trigger in found),
    )


def _cause(trigger: Trigger, made: Sequence[Injection], least: float) -> int:
    """Return the number of the transient that explains most of a trigger."""
    start, end = trigger.start_ns - from_seconds(REACH), trigger.end_ns + from_seconds(REACH)
    near = [i for i, one in enumerate(made) if one.start_ns < end and one.end_ns > start]
    if not near:
        return NOTHING
    best = max(near, key=lambda i: made[i].snr_between(start, end))
    return best if made[best].snr_between(start, end) >= least * trigger.snr else PART


def labelled(trigger: Trigger) -> Trigger:
    """Return a trigger with the packaged model's answer."""
    card, model = _model()
    return answers.labelled(trigger, card.classes, asked(model, trigger), card.label)


@lru_cache
def _model() -> tuple[artefact.Card, OnnxModel]:
    card = artefact.load_card(artefact.default_artefact())
    return card, OnnxModel(card.folder)


def _store(path: Path, seen: Sequence[Seen], truth: Sequence[Signal]) -> None:
    columns = {
        **_columns([each for one in seen for each in one.arrivals]),
        "causes": np.array([cause for one in seen for cause in one.causes], np.int64),
        "seen_count": np.array([len(one.arrivals) for one in seen], np.int64),
        "seen_ifo": np.array([one.ifo for one in seen], str),
        "seen_start_ns": np.array([one.start_ns for one in seen], np.int64),
        "seen_end_ns": np.array([one.end_ns for one in seen], np.int64),
        **{
            f"signal_{each.name}": np.array([getattr(one, each.name) for one in truth])
            for each in fields(Signal)
            if truth
        },
    }
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **columns)


def _columns(arrivals: Sequence[Arrival]) -> dict[str, npt.NDArray[np.generic]]:
    """Return arrivals as columns, each by its field's name; texts hold what is nested."""
    waveforms = [each.waveform for each in arrivals]
    return {
        **{name: np.array([getattr(each, name) for each in arrivals]) for name in _PLAIN},
        **{
            name: np.array([json.dumps(getattr(each, name)) for each in arrivals], str)
            for name in _NESTED
        },
        "waveform": np.frombuffer(b"".join(waveforms), np.uint8),
        "waveform_length": np.array([len(one) for one in waveforms], np.int64),
    }


def _arrivals(columns: Mapping[str, npt.NDArray[np.generic]]) -> list[Arrival]:
    """Return arrivals of columns."""
    data = columns["waveform"].tobytes()
    ends = np.cumsum(columns["waveform_length"]).tolist()
    values = {name: columns[name].tolist() for name in _PLAIN}
    values["dq"], values["injections"] = (
        [tuple(json.loads(text)) for text in columns[name].tolist()]
        for name in ("dq", "injections")
    )
    values["probabilities"] = [
        tuple((name, value) for name, value in json.loads(text))
        for text in columns["probabilities"].tolist()
    ]
    values["waveform"] = [data[low:high] for low, high in pairwise([0, *ends])]
    return [
        Arrival(**dict(zip(values, row, strict=True))) for row in zip(*values.values(), strict=True)
    ]


def _read(path: Path) -> list[Seen]:
    with np.load(path) as file:
        columns = {name: file[name] for name in file.files}
    arrivals = _arrivals(columns)
    causes = columns["causes"].tolist()
    ends = np.cumsum(columns["seen_count"]).tolist()
    return [
        Seen(
            ifo=str(columns["seen_ifo"][i]),
            start_ns=int(columns["seen_start_ns"][i]),
            end_ns=int(columns["seen_end_ns"][i]),
            arrivals=tuple(arrivals[low:high]),
            causes=tuple(causes[low:high]),
        )
        for i, (low, high) in enumerate(pairwise([0, *ends]))
    ]


def _read_signals(path: Path) -> SeenSignals:
    with np.load(path) as file:
        columns = {
            each.name: file[f"signal_{each.name}"].tolist()
            for each in fields(Signal)
            if f"signal_{each.name}" in file
        }
    rows = zip(*columns.values(), strict=True)
    truth = [dict(zip(columns, row, strict=True)) for row in rows]
    made = tuple(Signal(**{**one, "snrs": tuple(one["snrs"])}) for one in truth)
    return SeenSignals(signals=made, seen=tuple(_read(path)))
