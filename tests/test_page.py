"""Pages out of templates: whatever they are told stays text, and what they lack is an error."""

import ast
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
from jinja2 import UndefinedError

from models.evaluation.evaluate import figures
from models.evaluation.evaluation import Evaluation
from models.evaluation.page import render
from tests.test_sink_report import HOSTILE, Outline
from transforms.classify import artefact
from transforms.page import html

ROOT = Path(__file__).parents[1]
PACKAGES = ("beam_pipeline", "transforms", "models")


def evaluation_page(texts):
    """Return the page of an evaluation in which every text is what the texts say."""
    card = artefact.load_card(artefact.default_artefact())
    truth = np.arange(len(texts)) % len(card.classes)
    answers = np.eye(len(card.classes), dtype=np.float32)[truth - 1]
    rows = [
        dict.fromkeys(("file", "ifo", "label", "guessed"), text)
        | {"time": 1e9, "score": 0.9, "snr": 8.0, "detected": False, "why": why}
        for text in texts
        for why in ("", text or "-")
    ]
    evaluation = Evaluation(
        card=card,
        rows=rows,
        truth=truth,
        probabilities=answers,
        milliseconds=1.0,
        notes=tuple(texts),
    )
    told = figures(evaluation, "".join(texts))
    return render(evaluation, told | {"versions": dict.fromkeys(texts, "1")})


def test_whatever_is_evaluated_stays_text():
    usual = Outline(evaluation_page([f"a{number}" for number in range(len(HOSTILE))]))
    hostile = Outline(evaluation_page(HOSTILE))
    assert hostile.tags == usual.tags
    assert hostile.attributes == usual.attributes


def test_a_page_that_is_told_too_little_is_refused():
    with pytest.raises(UndefinedError, match="'channels' is undefined"):
        html.render("transforms.sink.report", "report.html", ifos="", span=None, facts={},
                    provenance={"config": "", "version": ""})  # fmt: skip


def test_every_file_that_the_packages_read_is_installed():
    text = (ROOT / "setup.py").read_text()
    given = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.keyword)]
    data = ast.literal_eval(next(each.value for each in given if each.arg == "package_data"))
    patterns = [
        f"{name.replace('.', '/') or '*'}/{each}" for name, own in data.items() for each in own
    ]
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*")):
        name = str(path.relative_to(ROOT))
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts:
            assert any(fnmatch(name, pattern) for pattern in patterns), name
