"""Derive the fitted families' table: ``python -m models.simulation.fits CSV``.

CSV holds one row for each real glitch that was fitted, with the columns ``ml_label`` (Gravity
Spy's machine label), ``ifo``, ``f0`` [Hz], ``gbw``, ``phase`` [rad], ``snr``, ``power`` and
``residual`` (mean power of the whitened glitch, and of what the fit leaves of it; noise has 1).
Such fits are those of Bondarescu, Lundgren & Macas 2023, arXiv:2309.06594. Of each label and
detector a Gaussian mixture of ln f0, ln gbw, ln SNR and phase is fitted, and the mixtures are
written to the file that :mod:`models.simulation.waveforms.fitted` reads. The number of parts, up
to three, has the lowest Bayesian information criterion.

It needs scikit-learn: ``pip install 'wavefier[train]'``.
"""

import argparse
import csv
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from models.simulation.waveforms import fitted
from transforms.arrays import FloatArray
from transforms.classify import gravity_spy

LABELS = {name: label for name, label in gravity_spy.LABELS.items() if label in fitted.FAMILIES}
"""Our labels of the fitted families, by Gravity Spy's names."""
MOST_PARTS = 3
"""Gaussians in a mixture, at the most."""
LEAST_EACH = 20
"""Fits for each part of a mixture, at the least, where it has several."""
LEAST = 5
"""Fits of a label and detector, at the least: fewer do not span four parameters."""
RESIDUAL = 2.0
"""A fit that leaves more than so many times the noise's power does not describe its glitch..."""
RESIDUAL_PART = 0.2
"""... unless it is less than this part of the glitch's own: a koi fish has fins."""
DIGITS = 4
"""Decimal places in the table."""
POSITIVE = ("f0", "gbw", "snr", "power", "residual")
NUMBERS = (*POSITIVE, "phase")
COLUMNS = ("ml_label", "ifo", *NUMBERS)


class FitsError(ValueError):
    """A table of fits that cannot be used; one line says why."""


def read(path: Path) -> list[dict[str, str]]:
    """Read a table of fits.

    Raises:
        FitsError: It cannot be read, or lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows, names = list(reader), reader.fieldnames or ()
    except OSError as error:
        raise FitsError(f"{path} cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise FitsError(f"{path} is no CSV in UTF-8 ({error}): write it anew") from error
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise FitsError(f"{path} lacks the columns {', '.join(missing)}: add them")
    return rows


def table(rows: Sequence[Mapping[str, str]]) -> dict[str, dict[str, Any]]:
    """Return the mixtures of each label and detector.

    Args:
        rows: Of the CSV; those of labels that are not among ``LABELS`` are left out.

    Raises:
        FitsError: A number or a detector is none, a label has no fits, or a detector too few.
    """
    groups: dict[tuple[str, str], list[list[float]]] = {}
    for number, row in enumerate(rows, 1):
        if row["ml_label"] in LABELS:
            one = _numbers(row, number)
            if one["residual"] < max(RESIDUAL, RESIDUAL_PART * one["power"]):
                values = [one[name] for name in ("f0", "gbw", "snr", "phase")]
                groups.setdefault((LABELS[row["ml_label"]], row["ifo"]), []).append(values)
    missing = [
        theirs for theirs, label in LABELS.items() if label not in {one for one, _ in groups}
    ]
    if missing:
        raise FitsError(f"there are no fits of {', '.join(missing)}: add them")
    for (label, ifo), points in groups.items():
        if len(points) < LEAST:
            raise FitsError(
                f"{label}, {ifo}: {len(points)} fits, where a mixture needs {LEAST}: add some, or "
                "leave these out"
            )
    found: dict[str, dict[str, Any]] = {}
    for (label, ifo), points in sorted(groups.items()):
        found.setdefault(label, {})[ifo] = mixture(np.array(points))
    return found


def _numbers(row: Mapping[str, str], number: int) -> dict[str, float]:
    """Return the numbers of a fit of a known label."""
    if row["ifo"] not in fitted.DETECTORS:
        known = ", ".join(fitted.DETECTORS)
        raise FitsError(f"fit {number}: detector {row['ifo']!r} is not among {known}: leave it out")
    found = {}
    for name in NUMBERS:
        try:
            found[name] = float(row[name] or "")
        except ValueError:
            found[name] = math.nan
        if not math.isfinite(found[name]) or (name in POSITIVE and found[name] <= 0):
            wanted = "a number above 0" if name in POSITIVE else "a number"
            raise FitsError(f"fit {number}: {name} must be {wanted}, not {row[name]!r}")
    return found


def mixture(values: FloatArray) -> dict[str, Any]:
    """Return one mixture: plain numbers, as ``fitted.Mixture`` takes them.

    Phases count up to their sign, as injections have a random sign: they are folded into half a
    turn about their mean.

    Args:
        values: f0 [Hz], gbw, SNR and phase [rad], [fit, 4].
    """
    from sklearn.mixture import GaussianMixture

    middle = float(np.angle(np.mean(np.exp(2j * values[:, 3]))) / 2)
    folded = middle + np.mod(values[:, 3] - middle + np.pi / 2, np.pi) - np.pi / 2
    points = np.column_stack([np.log(values[:, :3]), folded])
    parts = range(1, max(1, min(MOST_PARTS, len(points) // LEAST_EACH)) + 1)
    models = [
        GaussianMixture(count, n_init=5, reg_covar=1e-3, random_state=1).fit(points)
        for count in parts
    ]
    best = min(models, key=lambda model: model.bic(points))
    return {
        "fits": len(points),
        "snr": np.round(np.quantile(values[:, 2], (0.02, 0.98)), DIGITS).tolist(),
        "weights": np.round(best.weights_, DIGITS).tolist(),
        "means": np.round(best.means_, DIGITS).tolist(),
        "covariances": np.round(best.covariances_, DIGITS).tolist(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the fits; write the table."""
    parser = argparse.ArgumentParser(prog="python -m models.simulation.fits")
    parser.add_argument("fits", type=Path, metavar="CSV")
    parser.add_argument("--output", type=Path, metavar="YAML", default=fitted.TABLE)
    options = parser.parse_args(arguments)
    head = "# Written by python -m models.simulation.fits CSV; what it means is said there.\n"
    try:
        found = table(read(options.fits))
        options.output.write_text(head + yaml.safe_dump(found, sort_keys=False, width=96))
    except FitsError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"{options.output}: {error.strerror}; choose another --output")
    for label, each in found.items():
        fits = ", ".join(f"{ifo} {one['fits']}" for ifo, one in each.items())
        sys.stdout.write(f"{label}: {fits}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
