"""GitLab's CI: a file that GitLab takes, whose every script is a target that is there."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from flink import charts, parts
from flink.images import PYTHON

ROOT = Path(__file__).parents[1]
# GitLab's own, of its editor: MIT, tests/data/gitlab/LICENSE.
SCHEMA = json.loads((ROOT / "tests" / "data" / "gitlab" / "gitlab-ci.json").read_text())
WORDS = {"workflow", "stages", "variables", "default", "include"}


@pytest.fixture(scope="module")
def pipeline():
    return yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())


@pytest.fixture(scope="module")
def jobs(pipeline):
    return {
        name: job
        for name, job in pipeline.items()
        if name not in WORDS and not name.startswith(".")
    }


def targets():
    text = (ROOT / "Makefile").read_text()
    return set(re.findall(r"^([a-z0-9-]+):(?!=)", text, re.MULTILINE))


def test_gitlab_would_take_it(pipeline):
    jsonschema.Draft7Validator(SCHEMA).validate(pipeline)


def test_a_wrong_key_is_found(pipeline):
    wrong = {**pipeline, "lint": {"stage": "check", "scripts": ["make lint"]}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(SCHEMA).validate(wrong)


def test_every_script_is_one_target_of_the_makefile(jobs):
    known = targets()
    for name, job in jobs.items():
        (script,) = job["script"]
        command, target = script.split()
        assert command == "make"
        assert target in known, f"{name}: make {target}"


def test_all_that_leads_to_a_cluster_is_there(jobs):
    called = {job["script"][0].split()[1] for job in jobs.values()}
    ways = {"lint", "type", "test", "chart-check", "images-push", "chart-package"}
    ways |= {"ci-image", "audit", "coverage", "images-sign"}
    assert called == ways | {"deploy", "smoke", "rollback", "undeploy"}


def test_what_a_change_must_pass_is_said_once(pipeline, jobs):
    """In the Makefile: GitLab has the parts of `make check`, and .ci/run the whole."""
    text = (ROOT / "Makefile").read_text()
    parts = re.search(r"^check: ([a-z ]+?) *##", text, re.MULTILINE)[1].split()
    made = {job["script"][0] for job in jobs.values() if job["stage"] in ("check", "test")}
    assert {f"make {part}" for part in parts} <= made
    script = (ROOT / ".ci" / "run").read_text()
    assert re.findall(r"^make (.*)$", script, re.MULTILINE) == ["check"]
    required = dict(re.findall(r"(WAVEFIER_REQUIRE_\w+)=(\d)", script))
    assert len(required) == 3
    assert {key: pipeline["variables"].get(key) for key in required} == required


def test_every_job_runs_in_an_image_that_is_named(pipeline, jobs):
    assert pipeline["default"]["image"] == "$CI_IMAGE"
    for name, job in jobs.items():
        image = job.get("image", pipeline["default"]["image"])
        assert image == "$CI_IMAGE" or re.search(r":[\w.-]*\d", image), name
    made = (ROOT / "flink" / "docker" / "ci.Dockerfile").read_text()
    python = re.search(r"^ARG BASE=\S+python:(\S+)-", made, re.MULTILINE)[1]
    go = re.search(r"^ARG GO=\S+golang:(\S+)-", made, re.MULTILINE)[1]
    tag = pipeline["variables"]["CI_IMAGE_TAG"]
    assert (python, go) == (PYTHON, ".".join(map(str, charts.GO)))
    assert tag.startswith(f"python{python}-java{parts.versions()['java.release']}-go{go}-")


def test_nothing_is_built_or_signed_before_all_has_passed(jobs):
    for name in ("images", "chart"):
        assert set(jobs[name]["needs"]) >= {"lint", "type", "chart-check", "audit", "test"}
    assert jobs["sign"]["needs"] == ["images"]
    assert all("$COSIGN_PRIVATE_KEY" in rule["if"] for rule in jobs["sign"]["rules"])


def test_what_is_locked_is_audited_and_listed(jobs):
    assert "allow_failure" not in jobs["audit"]
    assert jobs["audit"]["artifacts"]["paths"] == ["build/sbom.json"]
    recipe = (ROOT / "Makefile").read_text().partition("\naudit:")[2].partition("\n\n")[0]
    assert "--requirement requirements.lock" in recipe
    assert "--format cyclonedx-json --output build/sbom.json" in recipe


def test_what_tests_reach_is_shown(jobs):
    job = jobs["coverage"]
    line = "TOTAL                       9999    123    99%"
    assert re.search(job["coverage"].strip("/"), line)[1] == "99"
    assert job["artifacts"]["reports"]["coverage_report"]["path"] == "build/coverage.xml"


def test_stages_needs_and_templates_are_known(pipeline, jobs):
    for name, job in jobs.items():
        assert job["stage"] in pipeline["stages"], name
        for needed in job.get("needs", ()):
            assert needed in jobs
            earlier = pipeline["stages"].index(jobs[needed]["stage"])
            assert earlier < pipeline["stages"].index(job["stage"])
        assert "extends" not in job or job["extends"] in pipeline


def test_nothing_is_deployed_that_was_not_tested(jobs):
    for name, job in jobs.items():
        if job["script"] == ["make deploy"]:
            assert set(job["needs"]) >= {"test", "images", "chart"}, name


def test_no_secret_is_on_a_command_line(pipeline):
    text = (ROOT / ".gitlab-ci.yml").read_text()
    assert "--password-stdin" in text
    assert not re.search(r"--password[= ]", text)
    held = [key for key in pipeline["variables"] if re.search("PASSWORD|TOKEN|SECRET", key)]
    assert not held
