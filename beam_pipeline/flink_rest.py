"""A Flink cluster's REST interface, as far as a job's client needs it."""

import json
import time
import urllib.error
import urllib.request
from typing import Any

from beam_pipeline import loopback

_ENDED = frozenset({"FINISHED", "CANCELED", "FAILED"})
_POLL_S = 1.0
_TIMEOUT_S = 5.0


class FlinkCluster:
    """The jobs of a cluster, which may be away for a while."""

    def __init__(self, address: str) -> None:
        """Talk to the REST interface at ``HOST:PORT``."""
        self._address = address
        self._open = loopback.opener(address.rpartition(":")[0]).open

    def state(self, name: str) -> str | None:
        """Give the state of the newest job of a name; None without an answer or a job."""
        jobs = self._jobs(name)
        return str(jobs[-1]["state"]) if jobs else None

    def cancel(self, name: str, patience_s: float = 30.0) -> bool:
        """End all jobs of a name and wait until they are; False if one is left."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            jobs = self._jobs(name)
            running = [job for job in jobs or () if job["state"] not in _ENDED]
            if jobs is not None and not running:
                return True
            for job in running:
                self._ask(f"/jobs/{job['jid']}?mode=cancel", "PATCH")
            time.sleep(_POLL_S)
        return False

    def watch(self, name: str, patience_s: float) -> str:
        """Wait until a job has ended, or no cluster has known it for some time; say what it is."""
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

    def _jobs(self, name: str) -> list[dict[str, Any]] | None:
        answer = self._ask("/jobs/overview", "GET")
        if answer is None:
            return None
        own = [job for job in answer.get("jobs", ()) if job["name"] == name]
        return sorted(own, key=lambda job: int(job["start-time"]))

    def _ask(self, path: str, method: str) -> dict[str, Any] | None:
        request = urllib.request.Request(f"http://{self._address}{path}", method=method)
        try:
            with self._open(request, timeout=_TIMEOUT_S) as answer:
                found: dict[str, Any] = json.loads(answer.read() or b"{}")
                return found
        except (OSError, ValueError, urllib.error.URLError):
            return None
