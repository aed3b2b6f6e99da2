"""Search with the wavelet bank: from a file to triggers, with the numerics alone.

    python examples/search_with_the_bank.py
    python examples/search_with_the_bank.py FILE --threshold 6

Prints time, frequency, Q, SNR and rank of each trigger. Needs no Beam and no model.
"""

import argparse

from transforms.detect.bank import bank_for
from transforms.detect.cluster import cluster
from transforms.detect.config import DetectConfig
from transforms.detect.search import search
from transforms.detect.sessions import Sessions
from transforms.gps import NANOSECONDS, to_seconds
from transforms.ingest.files.blocks import read_file
from transforms.whiten.config import WhitenConfig
from transforms.whiten.whitening import whiten

parser = argparse.ArgumentParser(description="Search a file with the wavelet bank.")
parser.add_argument("file", nargs="?", default="tests/data/H-H1_LOSC_4_V2-1126259446-32.hdf5")
parser.add_argument("--threshold", type=float, default=5.5, help="least rank of a trigger")
options = parser.parse_args()

whitening, detection = WhitenConfig(), DetectConfig(threshold=options.threshold)
for block in read_file(options.file):
    bank = bank_for(block.sample_rate, detection, whitening.low_frequency)
    # The search needs strain around what it searches: the longest wavelet of the bank must fit.
    white = whiten(block, whitening, bank.margin_seconds * NANOSECONDS)
    candidates = search(white, detection, bank)
    # Candidates that lie less than a gap apart are one trigger.
    for session in Sessions.of(detection).group(candidates):
        found = cluster(session.candidates, config_id="example")
        print(
            f"{found.channel} {to_seconds(found.time_ns):.4f} s {found.frequency:.1f} Hz"
            f" q {found.q:.1f} SNR {found.snr:.1f} rank {found.rank:.1f}"
        )
