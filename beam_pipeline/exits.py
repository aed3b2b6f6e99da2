"""How a command ends."""

DONE, DATA_PROBLEM, USAGE = 0, 1, 2
INTERRUPTED = 130


class UserError(ValueError):
    """A mistake in the call; the message is one line that says what to do."""
