"""TensorFlow's start: quiet about graphics cards, not about anything else."""

import os
import signal
import subprocess
import sys

import pytest

from transforms.classify import tensorflow


def test_all_but_notices_follow(capfd):
    with tensorflow.without_notices():
        os.write(2, b"0000 cudart_stub.cc:31] Could not find cuda drivers\nsomething is wrong\n")
    assert capfd.readouterr().err == "something is wrong\n"


def _fail():
    with tensorflow.without_notices():
        os.write(2, b"a library is missing\n")
        raise ImportError


def test_what_was_said_before_a_failure_follows_it(capfd):
    with pytest.raises(ImportError):
        _fail()
    assert "a library is missing" in capfd.readouterr().err


DIES = """
import os
from transforms.classify import tensorflow

with tensorflow.without_notices():
    os.write(2, b"the processor lacks an instruction")
    os.abort()
"""


def test_a_process_that_dies_meanwhile_leaves_what_was_said(tmp_path):
    given = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", DIES], env=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in done.stderr
    (left,) = tmp_path.glob(f"{tensorflow.HELD}*")
    assert left.read_text() == "the processor lacks an instruction"
