"""Whiten a file: read its good strain, whiten it, and save a picture of both around a time.

    python examples/whiten_a_file.py
    python examples/whiten_a_file.py FILE --at GPS --picture white.png

Needs no Beam, no server, and no network.
"""

import argparse

import numpy as np
from gwpy.timeseries import TimeSeries
from matplotlib import pyplot as plt

from transforms.ingest.files.blocks import read_file
from transforms.whiten.config import WhitenConfig
from transforms.whiten.whitening import whiten

parser = argparse.ArgumentParser(description="Whiten a file and draw it around a time.")
parser.add_argument("file", nargs="?", default="tests/data/H-H1_LOSC_4_V2-1126259446-32.hdf5")
parser.add_argument("--at", type=float, default=1126259462.42, help="GPS time [s]")
parser.add_argument("--picture", default="white.png")
options = parser.parse_args()

# There is a block for each contiguous stretch of good data; this is the first.
block = read_file(options.file)[0]
white = whiten(block, WhitenConfig(), margin_ns=0)

before = TimeSeries(
    block.samples, t0=block.gps_start_ns / 1e9, sample_rate=block.sample_rate, name="strain"
)
after = TimeSeries(
    white.samples, t0=white.gps_start_ns / 1e9, sample_rate=white.sample_rate, name="whitened"
)
# The filter looks ahead by 0.125 s, so 0.125 s are lost at either end; there the output is zero.
valid = after.crop(white.valid_start_ns / 1e9, white.valid_end_ns / 1e9)
print(f"{block.channel}: {valid.duration}, standard deviation {np.std(valid.value):.2f}")

figure, axes = plt.subplots(2, sharex=True)
for axis, series in zip(axes, (before, after), strict=True):
    axis.plot(series.crop(options.at - 0.2, options.at + 0.2))
    axis.set_ylabel(series.name)
axes[-1].set_xlabel("GPS time [s]")
figure.savefig(options.picture)
print(options.picture)
