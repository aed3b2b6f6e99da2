"""Label your own glitches: compare the labels of the model with yours.

    python examples/label_your_glitches.py --output judged

`wavefier evaluate` reads a folder that holds files of strain and one CSV file with the columns
file, time (GPS seconds), ifo and label. This script makes such a folder from three known events,
evaluates the packaged model on it, and prints each event with its label and the model's.

If your labels are those of Gravity Spy, translate them, as here. If the model names none of its
own, as where the noise beside an event is not white, the line says why.
"""

import argparse
import csv
import shutil
import subprocess
import sys
from pathlib import Path

from transforms.classify.gravity_spy import label_of, name_of

EVENTS = (
    ("H-H1_LOSC_4_V2-1126259446-32.hdf5", "1126259462.4207", "H1", "Chirp"),
    ("L-L1_LOSC_4_V2-1126259446-32.hdf5", "1126259462.4130", "L1", "Chirp"),
    # The glitch on top of GW170817.
    ("L-L1_GWOSC_4KHZ_R1-1187008867-32.hdf5", "1187008881.3850", "L1", "Extremely_Loud"),
)

parser = argparse.ArgumentParser(description="Evaluate the packaged model on known events.")
parser.add_argument("--strain", type=Path, default=Path("tests/data"), help="folder of the files")
parser.add_argument("--output", type=Path, default=Path("judged"))
options = parser.parse_args()

snippets = options.output / "snippets"
snippets.mkdir(parents=True, exist_ok=True)
with (snippets / "events.csv").open("w", newline="") as file:
    table = csv.writer(file)
    table.writerow(("file", "time", "ifo", "label"))
    for name, time, ifo, label in EVENTS:
        shutil.copy(options.strain / name, snippets)
        table.writerow((name, time, ifo, label_of(label)))

evaluate = ["evaluate", str(snippets), "--output", str(options.output)]
subprocess.run([sys.executable, "-m", "beam_pipeline.cli", *evaluate], check=True)

with (options.output / "events.csv").open(newline="") as file:
    for row in csv.DictReader(file):
        print(
            f"{row['ifo']} {row['time']} {row['label']}: {row['guessed']}",
            f"({row['score'] or row['why']}; for Gravity Spy {name_of(row['guessed'])})",
        )
