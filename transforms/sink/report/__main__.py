"""Write the report of an output folder: ``python -m transforms.sink.report FOLDER``."""

import sys

from transforms.sink.report import write_report

if __name__ == "__main__":
    write_report(sys.argv[1])
