"""GitLab's CI: a file that GitLab takes, whose every script is a target that is there."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

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
    assert called == ways | {"deploy", "smoke", "rollback", "undeploy"}


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
