"""Write the report of an output folder: ``python -m transforms.sink.report FOLDER``."""

import sys

from transforms.files import OutputError
from transforms.sink.report import write_report

if __name__ == "__main__":
    try:
        write_report(sys.argv[1])
    except OutputError as refused:
        sys.stderr.write(f"{refused}\n")
        sys.exit(2)
