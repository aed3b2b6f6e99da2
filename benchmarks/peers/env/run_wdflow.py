"""Run the Wavelet Detection Filter's worker on frames; the peer's own interpreter runs this.

Calls wdflow's documented interface and writes its triggers, one to a line, as CSV: time,
start, end [GPS s], frequency [Hz], snr.
"""

import csv
import glob
import os
import sys

import pyarrow.parquet as pq
from wdf.config.Parameters import Parameters  # type: ignore[import-not-found]
from wdf.processes.wdfUnitDSWorker import wdfUnitDSWorker  # type: ignore[import-not-found]

AR_ORDER = 600
LEARN = 200
"""Strain that the model of the noise is fitted on [s]."""
WINDOW, OVERLAP = 1024, 512
LENGTH = 8
"""Block read at once [s]."""


def main(cache: str, channel: str, rate: str, start: str, end: str, *rest: str) -> None:
    """Analyse [start, end) of the frames in a cache (FrameL's .ffl)."""
    threshold, low, output = rest
    worker = wdfUnitDSWorker(
        Parameters(
            file=cache,
            channel=channel,
            sampling=int(rate),
            ResamplingFactor=1,
            gps=int(start),
            outdir=f"{output}/",
            run="run",
            itf=channel.partition(":")[0],
            len=LENGTH,
            ARorder=AR_ORDER,
            learn=LEARN,
            preWhite=3,
            window=WINDOW,
            overlap=OVERLAP,
            threshold=float(threshold),
            LowFrequencyCut=float(low),
        )
    )
    worker.segmentProcess((int(start), int(end)))
    (folder,) = glob.glob(f"{output}/run/*/*/")
    names = ("gpsPeak", "gpsStart", "duration", "freqMean", "EnWDF")
    with open(os.path.join(output, "events.csv"), "w", newline="") as file:
        write = csv.writer(file)
        for path in glob.glob(f"{folder}*.parquet"):
            table = pq.read_table(path, columns=list(names)).to_pydict()
            for time, begin, duration, frequency, snr in zip(
                *(table[name] for name in names), strict=True
            ):
                write.writerow((time, begin, begin + duration, frequency, snr))
    with open(os.path.join(output, "analysed.txt"), "w") as file:
        file.write(f"{worker.par.gpsEndSearched - int(start)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
