"""How far a work of several steps has come: a bar each on a terminal, plain lines in a pipe."""

import time
from typing import Any, TextIO

from tqdm import tqdm

from beam_pipeline.progress_bar import LINE_EVERY


class Steps:
    """Shows what it is told; each step's end is shown whenever it comes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._bars: dict[str, Any] = {}
        self._said = 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        """Show how much of a step is done, and how much there is."""
        if self._terminal:
            if step not in self._bars:
                self.close()
                self._bars[step] = tqdm(desc=step, total=total, file=self._stream)
            self._bars[step].update(done - self._bars[step].n)
        elif done >= total or time.monotonic() - self._said >= LINE_EVERY:
            self._said = time.monotonic()
            self.note(f"{step}: {done} of {total}")

    def note(self, text: str) -> None:
        """Show a line, above a bar if there is one."""
        if self._terminal:
            tqdm.write(text, file=self._stream)
        else:
            self._stream.write(f"{text}\n")
            self._stream.flush()

    def close(self) -> None:
        """Leave the bar as it stands."""
        for bar in self._bars.values():
            bar.close()
