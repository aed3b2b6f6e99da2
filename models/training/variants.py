"""Examples of labelled strain: each glitch as it is, and as it might have been seen.

A variant has another sample rate, more noise of the same spectrum, less strain around it, or a
trigger a little beside. Its sign is no variant: the network sees energies.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from models import pool
from models.evaluation import labelled, whiteness
from models.evaluation.labelled import Filters, Pipeline, Row
from models.evaluation.strain_files import Strain
from models.simulation import noise, waveforms
from models.simulation.matching import Example
from models.simulation.simulate import Progress
from models.training import examples
from models.training.examples import NAMES, Examples
from transforms.gps import to_index

QUIETEST, PART = 6.5, 0.25
"""Least SNR of a variant, and least part of the glitch's own: more noise would hide it."""
NOISIER, SLOWER, SHORTER = 0.75, 0.33, 0.5
"""Shares of the variants with more noise, half the sample rate, and less strain."""
SLOWEST = 1024
"""Least sample rate of a variant [Hz]."""
SHORTEST = 32
"""Least strain of a variant [s]; shorter strain stays as it is."""
SPECTRUM = 8
"""Least strain of which a spectrum is made [s]."""
SHIFT_NS = 4_000_000
"""Largest distance of a variant's trigger from where the detector has it [ns]."""


@dataclass(frozen=True, kw_only=True)
class _Task:
    row: Row
    number: int
    label: str
    copies: int
    seed: int
    pipeline: Pipeline
    filters: Filters


def examples_of(
    rows: Sequence[Row],
    pipeline: Pipeline,
    copies: int,
    seed: int,
    processes: int,
    progress: Progress,
) -> Examples:
    """Make the examples of labelled strain.

    Args:
        rows: Of the table beside the strain.
        pipeline: Whitening and detection.
        copies: Examples of each glitch, itself the first; those that the detector does not find
            are left out, and glitches beside which the noise is not white.
        seed: Of all that is random.
        processes: How many work; the examples do not depend on it.
        progress: Told after each glitch.

    Returns:
        Examples whose ``stretch`` is the glitch's place in ``rows``; ``loudest`` are the glitches
        themselves.

    Raises:
        models.evaluation.labelled.LabelError: A file cannot be used, or no glitch is found.
        models.pool.PoolError: A process was killed.
    """
    filters = labelled.common_filters(_both(labelled.strains(rows, pipeline, progress)), pipeline)
    tasks = (
        _Task(
            row=row,
            number=number,
            label=row.label if row.label in waveforms.CLASSES else waveforms.UNKNOWN,
            copies=copies,
            seed=seed,
            pipeline=pipeline,
            filters=filters,
        )
        for number, row in enumerate(rows)
    )
    made: dict[int, Examples] = {}
    for number, part in pool.each(_made, tasks, min(processes, len(rows))):
        made[number] = part
        progress("labelled strain", len(made), len(rows))
    parts = [made[number] for number in sorted(made)]
    whole = Examples(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in NAMES})
    if not len(whole):
        raise labelled.LabelError(
            f"none of {len(rows)} labelled glitches is found by the detector in white noise: "
            "`wavefier evaluate` says why of each"
        )
    return whole


def files_of(rows: Sequence[Row]) -> list[Path]:
    """Return the files that hold labelled strain, each once."""
    return list(dict.fromkeys(row.file for row in rows))


def _both(all_: Iterator[Strain]) -> Iterator[Strain]:
    """Yield strain, and the same at half the rate."""
    for strain in all_:
        yield strain
        if strain.rate >= 2 * SLOWEST:
            yield slower(strain)


def _made(task: _Task) -> tuple[int, Examples]:
    strain = labelled.strain_of(task.row, task.pipeline)
    return task.number, examples.arrays(_found(task, strain), task.number)


def _found(task: _Task, strain: Strain) -> Iterator[Example]:
    at = task.row.time_ns
    white = labelled.whitened(strain, at, task.pipeline, task.filters)
    own = labelled.trigger_in(white, at, task.pipeline)
    if whiteness.fault(white, own.trigger, task.pipeline[0].low_frequency):
        return  # what is seen there tells of the noise, and not of the glitch
    for copy in range(task.copies):
        rng, found = np.random.default_rng((task.seed, task.number, copy)), own
        if copy:
            other = varied(strain, at, own.trigger.snr, rng)
            found = labelled.event_in(other, at, task.pipeline, task.filters)
            beside = found.trigger.time_ns + int(rng.integers(-SHIFT_NS, SHIFT_NS + 1))
            found = replace(found, trigger=replace(found.trigger, time_ns=beside))
        if found.detected:
            yield Example(
                trigger=found.trigger,
                label=task.label,
                injected_snr=0.0,
                loudest=not copy,
                curve=task.row.file.name,
                key=f"{task.row.file.name}/{task.number}/{copy}",
            )


def varied(strain: Strain, time_ns: int, snr: float, rng: np.random.Generator) -> Strain:
    """Return strain as it might have been around the same glitch.

    Args:
        strain: Around the glitch.
        time_ns: Of the glitch [GPS ns].
        snr: Of its trigger.
        rng: Source of randomness.
    """
    if rng.random() < SHORTER:
        strain = shorter(strain, time_ns, rng)
    quietest = max(QUIETEST, PART * snr)
    if rng.random() < NOISIER and snr > quietest:
        strain = noisier(strain, snr / np.exp(rng.uniform(np.log(quietest), np.log(snr))), rng)
    if rng.random() < SLOWER and strain.rate >= 2 * SLOWEST:
        strain = slower(strain)
    return strain


def shorter(strain: Strain, time_ns: int, rng: np.random.Generator) -> Strain:
    """Cut strain, at least as long as ``SHORTEST``, around a time."""
    rate, count = strain.rate, len(strain.samples)
    least = SHORTEST * rate
    if count <= least:
        return strain
    length = round(np.exp(rng.uniform(np.log(least), np.log(count))))
    at = to_index(time_ns, rate) - strain.first
    edge = least // 4
    low, high = max(0, at + edge - length), min(count - length, max(at - edge, 0))
    first = int(rng.integers(low, max(low, high) + 1))
    return replace(
        strain, first=strain.first + first, samples=strain.samples[first : first + length]
    )


def noisier(strain: Strain, louder: float, rng: np.random.Generator) -> Strain:
    """Add noise of strain's own spectrum until it is so many times as loud, at its old level."""
    rate, count = strain.rate, len(strain.samples)
    if count < SPECTRUM * rate:
        return strain
    curve = noise.measured("", strain.samples, rate)
    added = np.sqrt(louder**2 - 1) * noise.coloured(curve, count, rate, rng)
    return replace(strain, samples=(strain.samples + added) / louder)


def slower(strain: Strain) -> Strain:
    """Return strain at half its rate."""
    odd = strain.first % 2
    return replace(
        strain,
        rate=strain.rate // 2,
        first=(strain.first + odd) // 2,
        samples=resample_poly(strain.samples[odd:], 1, 2),
    )
