"""Prints what an image holds, a package in each line: name, version, kind."""

import subprocess
import sys
from importlib.metadata import distributions

LINE = "${Package} ${Version} deb\n"

debian = subprocess.run(
    ["dpkg-query", "--show", f"--showformat={LINE}"], capture_output=True, text=True, check=True
)
python = sorted({f"{one.name} {one.version} python" for one in distributions()})
sys.stdout.write(debian.stdout + "\n".join(python) + "\n")
