"""What has grown too long to be read at once: ``python -m tests.sizes`` prints a line for each.

These are warnings. A module or function that reads better as a whole may stay one.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("beam_pipeline", "transforms", "models", "benchmarks", "flink")
MODULE_LINES = 400
FUNCTION_LINES = 60
"""Without the docstring."""


def too_long(name: str, text: str) -> Iterator[str]:
    """Yield a line for a module that is too long, and for each such function in it."""
    length = len(text.splitlines())
    if length > MODULE_LINES:
        yield f"{name}: warning: {length} lines, more than {MODULE_LINES}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            length = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if length > FUNCTION_LINES:
                place = f"{name}:{node.lineno}: warning: {node.name}"
                yield f"{place} has {length} lines, more than {FUNCTION_LINES}"


def main() -> int:
    """Print all warnings; none is an error."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for line in too_long(str(path.relative_to(ROOT)), path.read_text("utf-8")):
                sys.stdout.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
