"""Files to triggers and to blocks from Python, as scripts and notebooks do."""

import numpy as np
import pytest

from beam_pipeline.analysis import analyse
from beam_pipeline.cli import main
from transforms.gps import NANOSECONDS
from transforms.ingest.config import IngestConfig
from transforms.ingest.errors import DataError
from transforms.ingest.files.blocks import read_file
from transforms.ingest.files.formats import read_native
from transforms.sink.writers import read_triggers

pytestmark = pytest.mark.slow

NAME = "H-H1_LOSC_4_V2-1126259446-32.hdf5"
OF_THE_RUN = ["emitted_at", "latency"]


def test_python_finds_what_the_command_finds(data, tmp_path):
    missing = tmp_path / "missing.hdf5"
    found = analyse([data / NAME, missing], tmp_path / "python")
    assert main(["run", str(data / NAME), "--output", str(tmp_path / "command")]) == 0

    told = read_triggers(tmp_path / "command").drop_columns(OF_THE_RUN)
    assert found.triggers.drop_columns(OF_THE_RUN).equals(told)
    assert found.triggers["label"].to_pylist() == ["cbc"]
    assert sum(s.end_ns - s.start_ns for s in found.segments) == 32 * NANOSECONDS
    assert [letter.source for letter in found.dead_letters] == [str(missing)]


def test_a_file_is_read_as_its_good_segments(data):
    (block,) = read_file(data / NAME)
    whole = (block.analyse_start_ns, block.analyse_end_ns)
    assert whole == (block.segment_start_ns, block.segment_end_ns)
    assert whole == (1126259446 * NANOSECONDS, 1126259478 * NANOSECONDS)
    strain, rate = read_native(str(data / NAME), block.channel, *whole)
    assert rate == block.sample_rate
    np.testing.assert_array_equal(block.samples, strain)


def test_what_is_too_short_is_no_segment(data):
    assert read_file(data / NAME, minimum_seconds=33) == []


def test_channels_are_chosen_and_what_cannot_be_used_is_one_line(data):
    with pytest.raises(DataError, match="H1:OTHER"):
        read_file(data / NAME, IngestConfig(channels=("H1:OTHER",)))
