"""Read a run with gwpy's EventTable and plot it: time, frequency, and SNR as colour.

wavefier run tests/data/*_LOSC_4_V2-1126259446-32.hdf5 --output demo
python examples/plot_a_run.py demo --picture triggers.png
"""

import argparse
from pathlib import Path

from gwpy.table import EventTable

parser = argparse.ArgumentParser(description="Plot the triggers of a run.")
parser.add_argument("run", type=Path, help="output folder of wavefier run or wavefier live")
parser.add_argument("--least-snr", type=float, default=0.0)
parser.add_argument("--picture", default="triggers.png")
options = parser.parse_args()

# schema.parquet has no rows: with it, a run that found nothing can be read too.
folder = options.run / "triggers"
files = [folder / "schema.parquet", *sorted(folder.glob("*/*/*.parquet"))]
triggers = EventTable.read(
    [str(path) for path in files], format="parquet", where=f"snr > {options.least_snr}"
)
print(triggers["time", "ifo", "frequency", "snr", "label"])

if len(triggers):
    plot = triggers.scatter("time", "frequency", color="snr", yscale="log")
    axes = plot.gca()
    axes.set_xlim(min(triggers["time"]) - 8, max(triggers["time"]) + 8)
    axes.set_ylabel("Frequency [Hz]")
    axes.colorbar(label="SNR")
    plot.savefig(options.picture)
    print(options.picture)
