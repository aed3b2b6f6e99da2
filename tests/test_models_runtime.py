"""TensorFlow's start: quiet about graphics cards, not about anything else."""

import os

import pytest

from models import runtime


def test_all_but_notices_follow(capfd):
    with runtime.without_notices():
        os.write(2, b"0000 cudart_stub.cc:31] Could not find cuda drivers\nsomething is wrong\n")
    assert capfd.readouterr().err == "something is wrong\n"


def _fail():
    with runtime.without_notices():
        os.write(2, b"a library is missing\n")
        raise ImportError


def test_what_was_said_before_a_failure_follows_it(capfd):
    with pytest.raises(ImportError):
        _fail()
    assert "a library is missing" in capfd.readouterr().err
