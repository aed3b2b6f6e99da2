"""TensorFlow, imported when it is needed: serving on one thread, and quiet about what it lacks."""

import faulthandler
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_NOTICES = (
    "absl::InitializeLog()",
    "cudart_stub.cc",
    "cuda_platform.cc",
    "oneDNN custom operations are on",
    "rebuild TensorFlow with the appropriate compiler flags",
    "optimized to use available CPU instructions",
)
"""What TensorFlow says on a machine without a graphics card; no news to anybody."""
HELD = "wavefier-tensorflow-"
"""How the file begins that holds what is held back."""


def tensorflow(threads: int = 1, *, onednn: bool = False) -> Any:
    """Import TensorFlow with a number of threads, and return it.

    If it is imported already, return it unchanged.

    Args:
        threads: One for serving: the runner's workers are the parallelism, and one thread
            always sums in one order. Training takes what there is.
        onednn: Whether to compute with oneDNN's kernels; the environment's value wins.
    """
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    prepare_environment(onednn=onednn)
    with without_notices():
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        tf.constant(0) + 1  # starts the devices, which is when it looks for a card
    return tf


def prepare_environment(*, onednn: bool = False) -> None:
    """Set what TensorFlow's library reads as it starts; what the user has set stays."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    # Its own switch for the level of the log comes too late for what it says at import.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # oneDNN's kernels differ from the others in the last digits, and are not everywhere.
    # In training they halve the time.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", str(int(onednn)))


@contextmanager
def without_notices() -> Iterator[None]:
    """Hold back what native code writes to standard error; let all but notices follow.

    Where the process dies meanwhile, standard error says in what, and what was held back
    stays in the folder of temporary files.
    """
    sys.stderr.flush()
    original = os.dup(2)
    watches = not faulthandler.is_enabled()
    if watches:
        faulthandler.enable(original)
    with tempfile.NamedTemporaryFile(prefix=HELD) as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            if watches:
                faulthandler.disable()
            os.close(original)
            held.seek(0)
            for line in held.read().decode(errors="replace").splitlines():
                if not any(notice in line for notice in _NOTICES):
                    print(line, file=sys.stderr)  # noqa: T201
