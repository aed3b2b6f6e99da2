"""The way in: ``wavefier run``, ``live``, ``replay``, ``train``, ``evaluate``, and more.

Exit codes: 0 done, 1 a problem with the data, 2 a mistake in the call, 130 Ctrl-C, 143 SIGTERM.
"""

import sys
from collections.abc import Sequence

from beam_pipeline import standard_streams
from beam_pipeline.exits import DATA_PROBLEM, DONE, USAGE, DataProblem, UserError
from beam_pipeline.interrupt import INTERRUPTED, Interrupted, beginning, stoppable

__all__ = ["DATA_PROBLEM", "DONE", "USAGE", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; what a user can mend is one line on standard error."""
    standard_streams.prepare()
    try:
        code = _run(sys.argv[1:] if arguments is None else arguments)
    except UserError as error:
        standard_streams.complain(error)
        code = USAGE
    except DataProblem as error:
        standard_streams.complain(error)
        code = DATA_PROBLEM
    except Interrupted as stop:
        standard_streams.complain(INTERRUPTED)
        code = stop.exit_code
    return standard_streams.finished(code)


def _run(words: Sequence[str]) -> int:
    with stoppable():
        # Only now: a signal has its one line from here on, while the libraries are imported too.
        with beginning():
            from beam_pipeline.commands import surroundings

            surroundings.prepare("--verbose" in words, "--json-logs" in words)
            # What these import reads the environment that was just set.
            from beam_pipeline.commands import arguments

            options = arguments.read(words)
            from beam_pipeline.commands import actions
        return int(getattr(actions, options.command)(options))


if __name__ == "__main__":
    sys.exit(main())
