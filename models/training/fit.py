"""Fitting the network: early stopping, a falling learning rate, a state kept each epoch.

A fit that was interrupted goes on at the epoch that it had not finished. The state holds
all that the next epoch depends on: weights, optimiser, the draws of the dropout, and the
best weights so far. The order of the examples depends on the epoch's number alone.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.simulation import waveforms
from models.simulation.simulate import Progress
from models.training import network
from models.training.batches import batches
from models.training.examples import PREDICTED, Examples
from models.training.settings import TrainConfig
from transforms.classify import tensorflow
from transforms.files import whole_file

LAST_RATE = 0.01
"""Learning rate of the last epoch, as a part of the first one's."""
DECAY = 0.05
"""Of weights, as a part of the learning rate; Loshchilov & Hutter 2019, arXiv:1711.05101."""

Note = Callable[[str], None]
"""Told a line for the person who waits."""


@dataclass(frozen=True)
class FitPlace:
    """Where a fit leaves things, and how much of the machine it takes."""

    work: Path
    """Its state."""
    threads: int = 1
    logs: Path | None = None
    """TensorBoard's; None: none."""


def fit(
    config: TrainConfig,
    sets: tuple[Examples, Examples],
    place: FitPlace,
    progress: Progress,
    note: Note,
) -> tuple[Any, list[dict[str, float]]]:
    """Fit the network to a training and a validation set, or go on with it.

    The learning rate falls as half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983, one
    cycle) to a hundredth.

    Returns:
        The network of the epoch with the least validation loss, and each epoch's losses.
    """
    tensorflow.tensorflow(place.threads, onednn=True)
    import keras

    keras.utils.set_random_seed(config.seed % 2**32)
    train_set = batches(sets[0], config.batch_size, config.seed)
    model = network.build(len(waveforms.CLASSES))
    model.compile(
        keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(
                config.learning_rate, config.epochs * len(train_set), alpha=LAST_RATE
            ),
            weight_decay=DECAY,
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    stop = keras.callbacks.EarlyStopping(patience=config.patience, restore_best_weights=True)
    state = _State(place.work / "fit", model, stop)
    state.read()
    if state.history:
        note(f"training goes on after epoch {len(state.history)}")
    if not state.ended(config):
        model.fit(
            train_set,
            validation_data=batches(sets[1], PREDICTED),
            epochs=config.epochs,
            initial_epoch=len(state.history),
            callbacks=_callbacks((stop, state), (train_set, config), place, progress, note),
            shuffle=False,  # the batches shuffle by themselves, in an order that is known
            verbose=0,
        )
    elif stop.best_weights is not None:
        model.set_weights(stop.best_weights)
    return model, state.history


def _callbacks(
    kept: tuple[Any, "_State"],
    what: tuple[Any, TrainConfig],
    place: FitPlace,
    progress: Progress,
    note: Note,
) -> list[Any]:
    import keras

    (stop, state), (train_set, config) = kept, what
    total = config.epochs * len(train_set)
    done = len(state.history) * len(train_set)

    def begin(epoch: int, logs: Any = None) -> None:
        train_set.epoch = epoch

    def step(batch: int, logs: Any = None) -> None:
        nonlocal done
        done += 1
        progress("training", done, total)

    def end(epoch: int, logs: dict[str, float]) -> None:
        state.write(logs)
        losses = f"loss {logs['loss']:.4f}, validation {logs['val_loss']:.4f}"
        note(f"epoch {epoch + 1} of {config.epochs}: {losses}")

    own = keras.callbacks.LambdaCallback(
        # After early stopping, which forgets as a training begins.
        on_train_begin=lambda logs=None: state.read(),
        on_epoch_begin=begin,
        on_train_batch_end=step,
        on_epoch_end=end,
    )
    board = [keras.callbacks.TensorBoard(str(place.logs), write_graph=False)] if place.logs else []
    return [stop, own, *board]


class _State:
    """All that the next epoch depends on, in one file that appears whole."""

    def __init__(self, folder: Path, model: Any, stop: Any) -> None:
        self._path = folder / "state.npz"
        self._model, self._stop = model, stop
        model.optimizer.build(model.trainable_variables)
        self.history: list[dict[str, float]] = []

    def ended(self, config: TrainConfig) -> bool:
        """Return whether there is no epoch left."""
        patient = self._stop.wait < config.patience
        return bool(self.history) and (len(self.history) >= config.epochs or not patient)

    def write(self, logs: dict[str, float]) -> None:
        """Write the state after an epoch."""
        self.history.append({key: float(value) for key, value in logs.items()})
        stop = self._stop
        about = {
            "history": self.history,
            "stop": {"best": float(stop.best), "wait": stop.wait, "best_epoch": stop.best_epoch},
        }
        arrays = {f"v{i}": value.value.numpy() for i, value in enumerate(self._variables())}
        arrays |= {f"b{i}": value for i, value in enumerate(stop.best_weights or [])}
        with whole_file(self._path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, about=np.array(json.dumps(about)), **arrays)

    def read(self) -> None:
        """Take the state up, where there is one."""
        if not self._path.is_file():
            return
        with np.load(self._path) as file:
            about = json.loads(str(file["about"]))
            for i, variable in enumerate(self._variables()):
                variable.assign(file[f"v{i}"])
            best = [file[f"b{i}"] for i in range(len(file.files)) if f"b{i}" in file.files]
        self.history = about["history"]
        self._stop.best_weights = best or None
        for name, value in about["stop"].items():
            setattr(self._stop, name, value)

    def _variables(self) -> list[Any]:
        return [*self._model.variables, *self._model.optimizer.variables]
