"""What docs/data-model.md shows works: after a run with triggers, and after one without."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.samples import EVENT, TRIGGER, UNLABELLED
from transforms.elements import Segment
from transforms.sink import writers
from transforms.sink.folder import event_partition, partition
from transforms.sink.staging import opened, written

# gwpy 4.1 asks astropy for a name that is on its way out.
pytestmark = pytest.mark.filterwarnings("ignore:COPY_IF_NEEDED")

PAGE = Path(__file__).parents[1] / "docs" / "data-model.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
READING = [block for block in BLOCKS if "confluent_kafka" not in block]


def leave(output, triggers):
    made = writers.Provenance(config="c0ffee", version="0.1.0")
    with opened(str(output), "threshold: 5.5\n", *vars(made).values()) as run:
        if triggers:
            writers.write_triggers(run.staged, partition(TRIGGER), triggers, made)
            events = [replace(EVENT, detectors=("H1",), triggers=(replace(
                EVENT.triggers[0], id=TRIGGER.id),))]  # fmt: skip
            writers.write_events(run.staged, event_partition(EVENT), events, made)
        writers.write_snippets(run.staged, triggers, made)
        stretch = Segment(
            ifo="H1", channel=TRIGGER.channel, start_ns=10**18, end_ns=2 * 10**18, analysed=True
        )
        writers.write_segments(run.staged, [stretch], made)
        writers.write_dead_letters(run.staged, [])
        written(run.staged, [])
        run.commit()


@pytest.mark.parametrize("triggers", [[], [TRIGGER], [TRIGGER, UNLABELLED]], ids=len)
def test_every_example_works_whatever_the_run_found(tmp_path, monkeypatch, triggers):
    from gwpy.table import EventTable

    monkeypatch.chdir(tmp_path)
    leave(tmp_path / "output", triggers)
    assert len(READING) == 5

    known = {}
    for block in READING:
        exec(compile(block, str(PAGE), "exec"), known)

    assert len(known["triggers"]) == len(triggers)
    assert len(known["events"]) == len(known["rare"]) == bool(triggers)
    assert len(known["analysed"]) == 1
    table = EventTable.read("triggers.h5", path="triggers")
    assert len(table) == len(EventTable.read("triggers.csv")) == len(triggers)
    assert table.colnames == known["triggers"].colnames
    if triggers:
        assert [each["id"] for each in known["members"]] == [TRIGGER.id]
        assert len(known["series"]) == len(TRIGGER.snippet_array)
        assert table["wdf_index"][-1] == "[17, 40]"
