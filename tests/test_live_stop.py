"""A live job on a real cluster that is told to stop, as by a supervisor."""

import os
import signal
import subprocess
import sys
import time

import pytest

from beam_pipeline import exits
from beam_pipeline.config import PipelineConfig
from beam_pipeline.flink.rest import FlinkCluster
from benchmarks.live.loads.usage import children
from benchmarks.rehearsal.servers import end_all, servers
from flink.settings import ROOT
from transforms.broker import KafkaConfig, Topic, ensure_topics

GROUP = "stop"
JOB = f"wavefier-live-{GROUP}"

# Five Java machines start.
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def there(cluster, tmp_path_factory):
    folder = tmp_path_factory.mktemp("there")
    with servers(folder) as made:
        ensure_topics(KafkaConfig(made.broker.address), {GROUP: Topic()})
        yield made
    end_all(folder)


@pytest.fixture
def live(there, tmp_path):
    """A live job that runs, whose temporary files go to ``tmp_path / "given"``."""
    given = tmp_path / "given"
    given.mkdir()
    (tmp_path / "science.yaml").write_text(PipelineConfig().to_yaml())
    options = ["--publish", GROUP, "--group", GROUP, *there.live_options([GROUP], tmp_path)]
    # A proxy that nobody answers for: on this machine none is asked.
    proxies = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:1")
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "beam_pipeline.cli", "live", *map(str, options)],
            cwd=ROOT,
            env={**os.environ, **proxies, "PYTHONPATH": str(ROOT), "TMPDIR": str(given)},
            stderr=said,
        )
        try:
            until(lambda: there.cluster.runs(JOB), process)
            # Each TaskManager's worker, and the one that waits.
            until(lambda: len(children(process.pid)) > 1, process)
            yield process
        finally:
            process.kill()
            process.wait()
            end_all(tmp_path)


def until(reached, process, seconds=600):
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.2)


def states(there):
    return [one["state"] for one in there.cluster.ask("/jobs/overview")["jobs"]]


def said(tmp_path):
    return (tmp_path / "said").read_text().splitlines()


def test_sigterm_cancels_the_job_and_leaves_nothing(there, live, tmp_path):
    workers = children(live.pid)
    live.send_signal(signal.SIGTERM)
    assert live.wait(240) == exits.TERMINATED
    assert states(there) == ["CANCELED"]
    assert not [pid for pid in workers if os.path.exists(f"/proc/{pid}")]
    assert said(tmp_path)[-1] == "wavefier: interrupted; what was written is whole"
    assert not list((tmp_path / "given").iterdir())


def test_a_second_signal_waits_for_nobody_and_says_what_is_left(there, live, tmp_path):
    workers, manager = children(live.pid), there.cluster.processes.alive()["jobmanager"]
    os.kill(manager, signal.SIGSTOP)
    try:
        live.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            live.wait(3)
        live.send_signal(signal.SIGTERM)
        # Less than the 30 s that a first signal gives the cluster.
        assert live.wait(20) == exits.TERMINATED
    finally:
        os.kill(manager, signal.SIGCONT)
    assert not [pid for pid in workers if os.path.exists(f"/proc/{pid}")]
    left = f"wavefier: {JOB} is left on localhost:{there.cluster.settings.port}: cancel it there"
    assert left in said(tmp_path)
    assert not list((tmp_path / "given").iterdir())
    assert FlinkCluster(f"localhost:{there.cluster.settings.port}").cancel(JOB)
