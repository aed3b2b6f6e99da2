"""How alike the families are: the best match of random draws, as whitening shows them.

``python -m benchmarks.classification.separability [draws]`` prints the most alike pairs. The match
is the normalised correlation of whitened shapes without noise, at the best time and sign. A match
m leaves two shapes of SNR rho a distance of rho sqrt(2 (1 - m)).
"""

import sys
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import fft
from scipy.signal import resample_poly

from models.simulation import noise, waveforms
from transforms.arrays import ComplexArray

SOURCE_RATE, RATE = 4096, 2048
"""At which shapes are drawn and compared [Hz]."""
LENGTH = 2 * RATE
"""The loudest two seconds are compared: as much as a trigger's snippet holds."""
LOW_FREQUENCY = 16.0
"""Of whitening [Hz]."""
CURVE = "aligo_O4high"


@dataclass(frozen=True)
class Likeness:
    """How alike two families are: of each draw of one, the best match among those of the other."""

    pair: tuple[str, str]
    median: float
    often: float
    """90 % of the draws have no better one."""


def spectra(label: str, draws: int, rng: np.random.Generator) -> ComplexArray:
    """Draw whitened shapes of unit norm; return their spectra, [draw, frequency]."""
    curve, family = noise.load(CURVE), waveforms.FAMILIES[label]
    rows = []
    for _ in range(draws):
        drawn = waveforms.draw(label, SOURCE_RATE, rng).samples
        shape = np.pad(resample_poly(drawn, 1, SOURCE_RATE // RATE), RATE // 2)
        if family.whitened:
            shape = noise.strain_of(shape, RATE, curve, LOW_FREQUENCY)
        seen = noise.whitened(shape, RATE, curve, LOW_FREQUENCY)
        if len(seen) > LENGTH:
            energy = np.cumsum(seen**2)
            first = int(np.argmax(energy[LENGTH:] - energy[:-LENGTH]))
            seen = seen[first : first + LENGTH]
        rows.append(fft.rfft(seen / np.linalg.norm(seen), 2 * LENGTH).astype(np.complex64))
    return np.stack(rows)


def likeness(one: str, other: str, shapes: dict[str, ComplexArray]) -> Likeness:
    """Compare two families by the spectra of their draws."""
    best = [
        float(np.max(np.abs(fft.irfft(row.conj() * shapes[other], axis=1)))) for row in shapes[one]
    ]
    return Likeness((one, other), float(np.median(best)), float(np.percentile(best, 90)))


def main() -> None:
    """Print the most alike pairs."""
    draws, rng = int(sys.argv[1]) if len(sys.argv) > 1 else 50, np.random.default_rng(3)
    shapes = {label: spectra(label, draws, rng) for label in waveforms.FAMILIES}
    found = [likeness(one, other, shapes) for one, other in combinations(shapes, 2)]
    for each in sorted(found, key=lambda one: -one.median)[:24]:
        print(f"{each.pair[0]:20} {each.pair[1]:20} {each.median:.2f} {each.often:.2f}")


if __name__ == "__main__":
    main()
