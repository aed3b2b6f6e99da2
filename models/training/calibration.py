"""Honest scores: a temperature that depends on how loud a trigger is.

Logits are divided by T = exp(a + b ln(snr / 8)): temperature scaling (Guo et al. 2017,
arXiv:1706.04599), whose one scalar cannot suit quiet and loud triggers alike.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logsumexp

from transforms.arrays import BoolArray, RealArray

Temperature = tuple[float, float]
"""a and b."""

REFERENCE = 8.0
"""SNR at which the temperature is exp(a)."""
LIMITS = (0.2, 5.0)
"""Where the temperature is held, so that no SNR makes scores absurd."""


def temperatures(log_snr: RealArray, temperature: Temperature) -> RealArray:
    """Return each trigger's temperature, [example], for the logarithm of its SNR."""
    a, b = temperature
    return np.asarray(np.clip(np.exp(a + b * (log_snr - np.log(REFERENCE))), *LIMITS))


def loss(
    logits: RealArray, truth: npt.NDArray[np.integer], log_snr: RealArray, t: Temperature
) -> float:
    """Return the mean cross-entropy of logits divided by a temperature."""
    scaled = logits / temperatures(log_snr, t)[:, None]
    return float(np.mean(logsumexp(scaled, axis=1) - scaled[np.arange(len(truth)), truth]))


@dataclass(frozen=True)
class Judged:
    """What a temperature is fitted to: examples that the network was not taught."""

    logits: RealArray
    """[example, class]."""
    truth: npt.NDArray[np.integer]
    """Index of the right class, [example]."""
    log_snr: RealArray
    """Natural logarithm of the trigger's SNR, [example]."""
    share: float = 0.0
    """What these count for, beside simulated ones."""


def fit(
    logits: RealArray,
    truth: npt.NDArray[np.integer],
    log_snr: RealArray,
    second: BoolArray,
    real: Judged | None = None,
) -> Temperature:
    """Find the temperature that makes probabilities honest, by likelihood.

    Args:
        logits: Of data kept from training, [example, class].
        truth: Index of the right class, [example].
        log_snr: Natural logarithm of the trigger's SNR, [example].
        second: The examples on which it is decided whether the SNR enters, [example]: it
            does where a fit to the others is better for it. Examples of one simulated
            transient must lie on one side.
        real: Labelled glitches, which enter by their share.

    Returns:
        a and b, fitted to all examples; b is 0 where the SNR does not enter.
    """

    def fitted(chosen: BoolArray, with_snr: bool) -> Temperature:
        own = logits[chosen], truth[chosen], log_snr[chosen]

        def total(values: RealArray) -> float:
            t = _pair(values)
            simulated = loss(*own, t)
            if real is None:
                return simulated
            told = loss(real.logits, real.truth, real.log_snr, t)
            return (1 - real.share) * simulated + real.share * told

        start = np.zeros(2 if with_snr else 1)
        return _pair(minimize(total, start, method="Nelder-Mead").x)

    with_snr = False
    if second.any() and not second.all():
        part = logits[second], truth[second], log_snr[second]
        with_snr = loss(*part, fitted(~second, True)) < loss(*part, fitted(~second, False))
    return fitted(np.ones(len(truth), bool), with_snr)


def _pair(values: RealArray) -> Temperature:
    return float(values[0]), float(values[1]) if len(values) > 1 else 0.0
