"""The commands that make a model and tell how good one is."""

import argparse
import shlex
import sys
from dataclasses import replace
from typing import Any

from beam_pipeline.commands.steps import Steps
from beam_pipeline.exits import DONE, UserError
from models import pool
from models.evaluation import evaluate as evaluation
from models.evaluation.labelled import Simulated
from models.training import settings
from models.training.card import set_seed
from models.training.settings import TrainConfig
from models.training.train import Run, Tell
from models.training.train import train as train_model
from transforms.classify import artefact


def train(options: argparse.Namespace) -> int:
    """Make a model from simulated transients."""
    steps = Steps(sys.stderr)
    run = Run(
        work=options.work,
        processes=processes(options),
        threads=pool.usable_cpus(),
        logs=options.logs,
        keep_work=options.keep_work,
        strain=tuple(options.strain),
        labelled=options.labelled,
        command=command(),
    )
    try:
        card = train_model(configuration(options), options.output, run, Tell(steps, steps.note))
    except ValueError as error:
        raise UserError(error) from error
    finally:
        steps.close()
    sys.stdout.write(f"model: {card.label} in {options.output}\n")
    return DONE


def command() -> str:
    """Return the command as typed."""
    return shlex.join(("wavefier", *sys.argv[1:]))


def configuration(options: argparse.Namespace) -> TrainConfig:
    """Read the training's configuration, with the seed asked for."""
    try:
        config = settings.read(options.config)
        return config if options.seed is None else replace(config, seed=options.seed)
    except ValueError as error:
        raise UserError(error) from error


def processes(options: argparse.Namespace) -> int:
    """Return the number of processes asked for, or that of the processors."""
    if options.processes is not None and options.processes < 1:
        raise UserError("--processes must be at least 1")
    return options.processes or pool.usable_cpus()


def evaluate(options: argparse.Namespace) -> int:
    """Return how good a model is, on a simulated set or on a folder of snippets."""
    if options.data and (options.config or options.seed is not None):
        raise UserError("--config and --seed are of a simulated set: leave them out, or DATA")
    steps = Steps(sys.stderr)
    try:
        card = artefact.load_card(options.model or artefact.default_artefact())
        if options.data:
            made = evaluation.on_folder(card, options.data, steps)
        else:
            config, count = configuration(options), processes(options)
            wanted = Simulated(
                config=config.test, threshold=config.threshold, seed=set_seed(config, "test")
            )
            made = evaluation.on_simulation(card, wanted, count, steps)
        told = evaluation.write(made, options.output, command())
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}; choose another --output") from error
    except ValueError as error:
        raise UserError(error) from error
    finally:
        steps.close()
    for note in made.notes:
        sys.stdout.write(f"{note}\n")
    sys.stdout.write(_told(told) + f"report: {options.output / evaluation.REPORT}\n")
    return DONE


def _told(told: dict[str, Any]) -> str:
    return (
        f"{told['model']}: {told['events']} events, accuracy {told['accuracy']:.3f}, "
        f"macro F1 {told['macro_f1']:.3f}, calibration error {told['ece']:.3f}, "
        f"{told['ms_per_event']:.2f} ms an event\n"
    )
