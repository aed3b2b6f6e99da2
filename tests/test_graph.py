"""One graph: the same stages for files and for streams, and a picture of it that is true."""

import re
from pathlib import Path

import apache_beam as beam
import pytest

from beam_pipeline import picture

ROOT = Path(__file__).parents[1]
BETWEEN = ("Analyse",)
CHOOSES = ("Analyse/Detect/Cluster", "Analyse/Rank/Network")
"""How candidates of neighbouring blocks meet, and triggers of detectors, depends on whether the
input ends."""


@pytest.fixture(scope="module")
def labels():
    """Return the labels of all transforms, by mode."""
    found = {}
    for mode in ("live", "archive"):
        laid = picture.pipeline(mode).to_runner_api()
        found[mode] = {one.unique_name for one in laid.components.transforms.values()}
    return found


def test_live_and_archive_have_the_same_stages_between_source_and_sinks(labels):
    live, archive = (
        {name for name in labels[mode] if name.split("/")[0] in BETWEEN}
        for mode in ("live", "archive")
    )
    assert {"Analyse/Whiten", "Analyse/Detect/Search", "Analyse/Classify/Model"} <= live
    inside = tuple(f"{name}/" for name in CHOOSES)
    assert {name for name in live ^ archive if not name.startswith(inside)} == set()
    assert set(CHOOSES) <= live & archive


def test_candidates_are_tracked_where_the_input_does_not_end(labels):
    assert f"{CHOOSES[0]}/Track" in labels["live"]
    assert f"{CHOOSES[0]}/Gather" in labels["archive"]
    assert not labels["live"] & {f"{CHOOSES[0]}/Gather"}


def test_a_network_is_followed_where_the_input_does_not_end(labels):
    assert f"{CHOOSES[1]}/Follow" in labels["live"]
    assert {f"{CHOOSES[1]}/Slides", f"{CHOOSES[1]}/Events"} <= labels["archive"]
    assert not labels["live"] & {f"{CHOOSES[1]}/Gather"}


@pytest.mark.parametrize("stage", ["Whiten", "Detect", "Classify", "Coincide", "Rank"])
def test_a_stage_is_wired_once(stage):
    wired = [
        str(path.relative_to(ROOT))
        for package in ("beam_pipeline", "transforms")
        for path in sorted((ROOT / package).rglob("*.py"))
        for _ in re.finditer(rf'"{stage}"\s+>>', path.read_text())
    ]
    assert wired == ["beam_pipeline/graph.py"]


def test_a_picture_shows_composites_or_what_is_in_them():
    class Twice(beam.PTransform):
        def expand(self, numbers):
            doubled = numbers | "Double" >> beam.Map(lambda n: 2 * n)
            return doubled | "Show" >> beam.Map(str)

    laid = beam.Pipeline()
    laid | "Begin" >> beam.Impulse() | "Both" >> Twice()
    assert picture.mermaid(picture.steps(laid, ())) == (
        'flowchart LR\n    n0["Begin"]\n    n1["Both"]\n    n0 --> n1'
    )
    opened = picture.mermaid(picture.steps(laid, ("Both",)))
    assert '    subgraph Both_1["Both"]\n        n1["Double"]\n        n2["Show"]' in opened
    assert opened.endswith("    n0 --> n1\n    n1 --> n2")


def test_arrows_have_the_names_of_collections():
    drawn = picture.picture("archive")
    assert "n0 -->|blocks| n1" in drawn
    assert "|progress|" in drawn


@pytest.mark.parametrize("page", picture.PAGES)
def test_pages_show_the_graph_as_it_is(page):
    text = (ROOT / page).read_text("utf-8")
    assert "<!-- graph " in text
    assert picture.drawn(text) == text, "python -m beam_pipeline.picture --write"
