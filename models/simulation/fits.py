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
"""Fits for each part of a mixture, at the least."""
RESIDUAL = 2.0
"""A fit that leaves more than so many times the noise's power does not describe its glitch..."""
RESIDUAL_PART = 0.2
"""... unless it is less than this part of the glitch's own: a koi fish has fins."""
DIGITS = 4
"""Decimal places in the table."""


def table(rows: Sequence[Mapping[str, str]]) -> dict[str, dict[str, Any]]:
    """Return the mixtures of each label and detector.

    Args:
        rows: Of the CSV.
    """
    groups: dict[tuple[str, str], list[list[float]]] = {}
    for row in rows:
        left, power = float(row["residual"]), float(row["power"])
        if row["ml_label"] in LABELS and left < max(RESIDUAL, RESIDUAL_PART * power):
            values = [float(row[name]) for name in ("f0", "gbw", "snr", "phase")]
            groups.setdefault((LABELS[row["ml_label"]], row["ifo"]), []).append(values)
    found: dict[str, dict[str, Any]] = {}
    for (label, ifo), points in sorted(groups.items()):
        found.setdefault(label, {})[ifo] = mixture(np.array(points))
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
    with options.fits.open(newline="") as file:
        found = table(list(csv.DictReader(file)))
    head = "# Written by python -m models.simulation.fits CSV; what it means is said there.\n"
    options.output.write_text(head + yaml.safe_dump(found, sort_keys=False, width=96))
    for label, each in found.items():
        fits = ", ".join(f"{ifo} {one['fits']}" for ifo, one in each.items())
        sys.stdout.write(f"{label}: {fits}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
