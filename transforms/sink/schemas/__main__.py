"""Print where the schemas lie, and write them: ``python -m transforms.sink.schemas``."""

import sys

from transforms.sink.schemas import KINDS, schema_path, schema_text

if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--write"]):
        sys.stderr.write("error: usage: python -m transforms.sink.schemas [--write]\n")
        sys.exit(2)
    for kind in KINDS:
        if sys.argv[1:]:
            schema_path(kind).write_text(schema_text(kind), encoding="utf-8")
        sys.stdout.write(f"{schema_path(kind)}\n")
