"""A page that tells what a run found: one file, to be opened, mailed or archived."""

from pathlib import Path

from transforms.files import OutputError, whole_file
from transforms.sink.folder import REPORT
from transforms.sink.report.page import render
from transforms.sink.report.results import Results

__all__ = ["write_report"]


def write_report(output: str | Path) -> Path:
    """Write the report of an output folder.

    Args:
        output: The folder of a run.

    Returns:
        The page.

    Raises:
        OutputError: If there are none of our results in the folder, or no room for the page.
    """
    folder = Path(output)
    page = render(Results.read(folder))
    path = folder / REPORT
    try:
        with whole_file(path) as temporary:
            temporary.write_text(page, encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        text = f"cannot write {path}: {reason}; make room, then: wavefier report {output}"
        raise OutputError(text) from error
    return path
