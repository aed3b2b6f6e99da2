"""Training: simulate, fit, calibrate, measure, and write the model with its card."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models import environment, plots
from models.evaluation.labelled import Row, table
from models.simulation import waveforms
from models.simulation.simulate import Progress
from models.training import card, dataset, work
from models.training.calibrated import calibrate
from models.training.examples import PREDICTED, Examples, read_examples, write_examples
from models.training.export import export
from models.training.fit import FitPlace, Note, fit
from models.training.settings import TrainConfig, with_strain
from models.training.variants import examples_of
from transforms.classify import artefact
from transforms.classify.onnx import OnnxModel
from transforms.detect.config import DetectConfig
from transforms.whiten.config import WhitenConfig


@dataclass(frozen=True, kw_only=True)
class Run:
    """Where a training works and with how much; the model does not depend on it."""

    work: Path | None = None
    """Kept while it lasts, to go on from; None: the output's name with ``.work``."""
    processes: int = 1
    """That simulate."""
    threads: int = 1
    """That fit; more than one sum in an order of their own."""
    logs: Path | None = None
    """Of TensorBoard; None: ``logs`` in the work folder."""
    keep_work: bool = False
    strain: tuple[Path, ...] = ()
    """Folders of the real strain that the configuration names; none: it comes from GWOSC."""
    labelled: Path | None = None
    """Folder of labelled strain, as `models.evaluation.labelled.table` reads it; None: none."""
    command: str = ""
    """As typed, for the card."""


@dataclass(frozen=True)
class Tell:
    """Who is told how far it is."""

    progress: Progress = lambda *_: None
    """Told the step's name, how much of it is done and how much there is."""
    note: Note = lambda _: None
    """Told a line."""


def train(
    config: TrainConfig,
    output: Path,
    run: Run | None = None,
    tell: Tell | None = None,
    whitening: WhitenConfig | None = None,
    detection: DetectConfig | None = None,
) -> artefact.Card:
    """Train a model and write it; go on where the same training was interrupted.

    Args:
        config: What to train on, and how.
        output: Folder of the model; made if missing, must be empty. It appears whole.
        run: Where to work, and with how much.
        tell: Who is told.
        whitening: The pipeline's whitening.
        detection: The pipeline's detection; its threshold is ``config.threshold`` here.

    Returns:
        The card, with the accuracy measured on the test set.

    Raises:
        transforms.classify.artefact.ArtefactError: The output is not an empty folder.
        models.training.work.WorkError: The work folder is of another training, or a folder cannot
            be made.
        models.evaluation.labelled.LabelError: The labelled strain cannot be used.
        models.pool.PoolError: A process was killed.
        ValueError: Nothing was found to train on, strain or a package is missing, or logs were
            asked for that cannot be.
    """
    run, tell = run or Run(), tell or Tell()
    environment.check_training()
    rows = table(run.labelled) if run.labelled else []
    if output.exists() and not output.is_dir():
        raise artefact.ArtefactError(f"{output} is no folder: give a new one")
    if output.exists() and any(output.iterdir()):
        raise artefact.ArtefactError(f"{output} is not empty: give a new folder")
    config = with_strain(config, run.strain)
    work.made(output.parent, "--output")
    whitening = whitening or WhitenConfig()
    detection = replace(detection or DetectConfig(), threshold=config.threshold)
    place = run.work or output.with_name(f"{output.name}.work")
    logs = _logs(run, place, tell.note)
    with work.opened(place, work.keys(config, whitening, detection, rows)):
        where = FitPlace(place, run.threads, logs)
        made = _Training(
            config=config,
            output=output,
            run=run,
            place=where,
            tell=tell,
            pipeline=(whitening, detection),
            rows=rows,
        ).made()
        if not run.keep_work:
            shutil.rmtree(place)
    return made


def _logs(run: Run, place: Path, note: Note) -> Path | None:
    """Return where TensorBoard's logs go, and that they cannot where it is missing."""
    if environment.has_tensorboard():
        if run.logs:
            work.made(run.logs, "--logs")
        return run.logs or place / "logs"
    advice = "tensorboard is missing: pip install 'wavefier[train]'"
    if run.logs:
        raise ValueError(f"no logs can be written, {advice}, or leave --logs out")
    note(f"no logs are written, {advice}")
    return None


@dataclass(kw_only=True)
class _Training:
    """One training, from its configuration to the model's folder."""

    config: TrainConfig
    output: Path
    run: Run
    place: FitPlace
    tell: Tell
    pipeline: tuple[WhitenConfig, DetectConfig]
    rows: Sequence[Row]
    """Of labelled strain."""

    def __post_init__(self) -> None:
        self.simulated = environment.Clock(self.place.work / "seconds.json")
        # Goes with the fit when another one is made of the same examples.
        self.fitted = environment.Clock(self.place.work / "fit" / "seconds.json")

    def made(self) -> artefact.Card:
        """Make the model."""
        # First: what is wrong with it is told in minutes, not after the hours of the sets.
        labelled = self._labelled()
        sets = {key: self._set(key) for key in card.SETS}
        pair = sets["train"], sets["validation"]
        with self.fitted.step("training"):
            model, history = fit(self.config, pair, self.place, self.tell.progress, self.tell.note)
        with self.fitted.step("calibrating"):
            answer = calibrate(model, pair, self.config, labelled)
        with tempfile.TemporaryDirectory(dir=self.output.parent) as folder:
            draft = Path(folder) / "model"
            export(answer, draft)
            with self.fitted.step("measuring"):
                found = served(draft, sets["test"])
            self._describe(
                draft,
                card.Made(
                    sets=sets,
                    history=history,
                    answer=answer,
                    probabilities=found,
                    labelled=labelled,
                    weights=int(model.count_params()),
                    how={"threads": self.run.threads, "processes": self.run.processes},
                    command=self.run.command,
                    seconds={**self.simulated.seconds, **self.fitted.seconds},
                ),
            )
            if self.output.exists():
                self.output.rmdir()
            draft.replace(self.output)
        return artefact.load_card(self.output)

    def _set(self, key: str) -> Examples:
        whitening, detection = self.pipeline
        plan = dataset.SetPlan(
            name=key,
            config=getattr(self.config, key),
            whitening=whitening,
            detection=detection,
            seed=card.set_seed(self.config, key),
        )
        with self.simulated.step(f"simulating {key}"):
            return dataset.make(plan, self.place.work, self.run.processes, self.tell.progress)

    def _labelled(self) -> Examples | None:
        if not self.rows:
            return None
        path = self.place.work / work.LABELLED
        if not path.is_file():
            config, rest = self.config, (self.run.processes, self.tell.progress)
            with self.simulated.step("reading labelled strain"):
                made = examples_of(
                    self.rows, self.pipeline, config.labelled_copies, config.seed, *rest
                )
                write_examples(made, path)
        found = read_examples(path)
        lost = len(self.rows) - len(np.unique(found.stretch))
        if lost:
            self.tell.note(
                "labelled, but not found by the detector in white noise: "
                f"{lost} of {len(self.rows)}"
            )
        others = sorted({row.label for row in self.rows} - set(waveforms.CLASSES))
        if others:
            self.tell.note(f"taught as unknown, since there is no such class: {', '.join(others)}")
        return found

    def _describe(self, draft: Path, made: card.Made) -> None:
        """Write card and figures beside a model, and say if it is large."""
        about = card.about(self.config, made, self.pipeline)
        written = artefact.write_card(draft, self.config.name, waveforms.CLASSES, about)
        plots.write(written, draft / artefact.PLOTS)
        size = artefact.size(draft)
        if size > artefact.LARGEST:
            self.tell.note(
                f"the model takes {size / 1e6:.1f} MB, more than the {artefact.LARGEST / 1e6:.0f} "
                "MB that one should: make the network smaller"
            )


def served(folder: Path, examples: Examples) -> npt.NDArray[np.float32]:
    """Return the probabilities as the written model serves them, [example, class]."""
    model = OnnxModel(folder)
    return np.concatenate([model(*inputs) for inputs in examples.batches(PREDICTED)])
