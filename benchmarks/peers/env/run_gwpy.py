"""Run gwpy's q_gram on frames, 64 s at a time; the peer's own interpreter runs this.

Writes tiles, one to a line, as CSV: time, start, end [GPS s], frequency [Hz], snr.
"""

import csv
import os
import sys

from gwpy.timeseries import TimeSeries

PIECE = 64
"""Transformed at once [s]."""
MARGIN = 2
"""Whitened more on either side, and cut off [s]."""
Q_RANGE = (3.3, 108.0)
MISMATCH = 0.2


def main(cache: str, channel: str, start: str, end: str, *rest: str) -> None:
    """Analyse [start, end) of the frames in a cache (LAL's: path last, start and length before)."""
    threshold, low, output = rest
    with open(cache) as file:
        frames = [line.split() for line in file]
    with open(os.path.join(output, "events.csv"), "w", newline="") as file:
        write = csv.writer(file)
        for piece in range(int(start), int(end), PIECE):
            span = max(piece - MARGIN, int(start)), min(piece + PIECE + MARGIN, int(end))
            paths = [
                line[4].removeprefix("file://localhost")
                for line in frames
                if int(line[2]) < span[1] and int(line[2]) + int(line[3]) > span[0]
            ]
            strain = TimeSeries.read(paths, channel, start=span[0], end=span[1], format="gwf")
            white = strain.whiten(fftlength=8, overlap=4, fduration=2, method="median")
            white = white.crop(piece, min(piece + PIECE, int(end)))
            tiles = white.q_gram(
                qrange=Q_RANGE,
                frange=(float(low), float("inf")),
                mismatch=MISMATCH,
                snrthresh=float(threshold),
            )
            for tile in tiles:
                half = tile["duration"] / 2
                snr = (2 * tile["energy"]) ** 0.5
                row = tile["time"], tile["time"] - half, tile["time"] + half, tile["frequency"], snr
                write.writerow(row)


if __name__ == "__main__":
    main(*sys.argv[1:])
