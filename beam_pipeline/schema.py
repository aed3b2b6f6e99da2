"""The published JSON schema of the science, for editors and for the Helm chart.

``python -m beam_pipeline.schema`` says where it lies; with ``--write`` it first makes it anew
from the stages' configurations, which a test holds it to. It knows the values of each key; what
concerns several keys is checked when the file is read.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from beam_pipeline.config import PipelineConfig
from transforms import settings

PATH = Path(__file__).parent / "science.json"


def schema_text() -> str:
    """Return what the file must hold."""
    named = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:wavefier:science",
        "title": "The science of a run: what a file given as --config holds",
    }
    schema = {**named, **settings.schema(PipelineConfig)}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print where the schema lies; with ``--write``, write it first."""
    given = sys.argv[1:] if arguments is None else arguments
    if list(given) not in ([], ["--write"]):
        sys.stderr.write("error: usage: python -m beam_pipeline.schema [--write]\n")
        return 2
    if given:
        PATH.write_text(schema_text(), encoding="utf-8")
    sys.stdout.write(f"{PATH}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
