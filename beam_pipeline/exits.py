"""How a command ends."""

DONE, DATA_PROBLEM, USAGE = 0, 1, 2
INTERRUPTED, TERMINATED = 130, 143
"""By Ctrl-C, and by SIGTERM, as a shell gives them."""


class UserError(ValueError):
    """A mistake in the call; the message is one line that says what to do."""


class DataProblem(Exception):
    """Data, storage or a runner ended the work; the message is one line."""
