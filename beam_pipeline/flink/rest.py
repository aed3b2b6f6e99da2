"""A Flink cluster's REST interface, as far as a job's client needs it.

``python -m beam_pipeline.flink.rest HOST:PORT JOB`` tells whether a job runs.
"""

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from beam_pipeline.flink import bypass_proxy

_ENDED = frozenset({"FINISHED", "CANCELED", "FAILED"})
_POLL_S = 1.0
_TIMEOUT_S = 5.0


class FlinkCluster:
    """The jobs of a cluster, which may be away for a while."""

    def __init__(self, address: str) -> None:
        """Talk to the REST interface at ``HOST:PORT``."""
        self._address = address
        self._open = bypass_proxy.opener(address.rpartition(":")[0]).open

    def state(self, name: str) -> str | None:
        """Return the state of the newest job of a name; None without an answer or a job."""
        job = self.newest(name)
        return str(job["state"]) if job else None

    def newest(self, name: str) -> dict[str, Any] | None:
        """Return what the overview says of the newest job of a name; None without an answer."""
        jobs = self._jobs(name)
        return jobs[-1] if jobs else None

    def runs(self, name: str) -> bool:
        """Return whether every task of the newest job of a name runs."""
        job = self.newest(name)
        return job is not None and every_task_runs(job)

    def cancel(self, name: str, patience_s: float = 30.0) -> bool:
        """End all jobs of a name and wait until they are; False if one is left."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            jobs = self._jobs(name)
            running = [job for job in jobs or () if job["state"] not in _ENDED]
            if jobs is not None and not running:
                return True
            for job in running:
                self.ask(f"/jobs/{job['jid']}?mode=cancel", "PATCH")
            time.sleep(_POLL_S)
        return False

    def watch(self, name: str, patience_s: float) -> str:
        """Wait until a job has ended, or is lost; return its last state.

        Args:
            name: The job's.
            patience_s: The job is ``LOST`` once no cluster has known it for so long [s].
        """
        seen = time.monotonic()
        while True:
            state = self.state(name)
            if state in _ENDED:
                return str(state)
            if state is not None:
                seen = time.monotonic()
            elif time.monotonic() - seen > patience_s:
                return "LOST"
            time.sleep(_POLL_S)

    def ask(self, path: str, method: str = "GET") -> dict[str, Any] | None:
        """Ask for a path; None if nothing answers (yet)."""
        request = urllib.request.Request(f"http://{self._address}{path}", method=method)
        try:
            with self._open(request, timeout=_TIMEOUT_S) as answer:
                found: dict[str, Any] = json.loads(answer.read() or b"{}")
                return found
        except (OSError, ValueError):
            return None

    def _jobs(self, name: str) -> list[dict[str, Any]] | None:
        answer = self.ask("/jobs/overview")
        if answer is None:
            return None
        own = [job for job in answer.get("jobs", ()) if job["name"] == name]
        return sorted(own, key=lambda job: int(job["start-time"]))


def every_task_runs(job: Mapping[str, Any]) -> bool:
    """Return whether every task of a job runs.

    Args:
        job: As Flink's overview of jobs shows it.
    """
    if job["state"] != "RUNNING":
        return False
    return bool(0 < job["tasks"]["total"] == job["tasks"]["running"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Wait until a job runs, and say so; 1 if it does not in time."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("address", metavar="HOST:PORT", help="of the REST interface")
    parser.add_argument("job", help="its name")
    parser.add_argument("--patience", type=float, default=0.0, metavar="SECONDS")
    given = parser.parse_args(arguments)
    cluster = FlinkCluster(given.address)
    end = time.monotonic() + given.patience
    while not (runs := cluster.runs(given.job)) and time.monotonic() < end:
        time.sleep(_POLL_S)
    state = "RUNNING" if runs else cluster.state(given.job) or "not known"
    suffix = ", not all of its tasks run" if state == "RUNNING" and not runs else ""
    sys.stdout.write(f"{given.job} at {given.address}: {state}{suffix}\n")
    return 0 if runs else 1


if __name__ == "__main__":
    sys.exit(main())
