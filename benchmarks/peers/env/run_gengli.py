"""Draw blips from gengli's network; an environment of its own runs this.

    python run_gengli.py COUNT SEED OUTPUT

Writes whitened blips, [blip, time] at 4096 Hz, each of unit norm, for L1 and H1, as NumPy's NPZ.
"""

import sys

import gengli  # type: ignore[import-not-found]
import numpy as np

RATE = 4096


def main(count: int, seed: int, output: str) -> None:
    """Draw so many for each detector."""
    drawn = {}
    for number, ifo in enumerate(("L1", "H1")):
        generator = gengli.glitch_generator(ifo)
        glitches = generator.get_glitch(count, srate=RATE, seed=seed + number, alpha=0.2, fhigh=250)
        drawn[ifo] = glitches / np.linalg.norm(glitches, axis=1, keepdims=True)
    np.savez(output, allow_pickle=False, **drawn)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
