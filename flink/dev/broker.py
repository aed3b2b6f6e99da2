"""A Kafka broker on this machine: `python -m flink.dev.broker up`."""

import argparse
import shutil
import sys
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from flink import parts
from flink.dev import configuration
from flink.dev.actions import act, settings_for
from flink.processes import HOST, Problem, Processes, alone, refuse_taken, reported, run
from flink.settings import BrokerSettings
from transforms.broker import KafkaConfig

BROKER = "broker"
POLL_S = 0.25
ASK_S = 1.0


class Broker:
    """One broker that is its own controller (KRaft); its records outlive it until `down`."""

    def __init__(self, settings: BrokerSettings) -> None:
        self.settings = settings
        self.processes = Processes(settings.folder)

    @property
    def address(self) -> str:
        """Return what clients connect to."""
        return f"{HOST}:{self.settings.port}"

    def up(self) -> str:
        """Start it, on the records that are there if any; wait until it answers, and say so.

        Raises:
            Problem: Something is missing or taken, or it does not come up.
        """
        with alone(self.settings.folder.parent):
            if BROKER in self.processes.alive():
                self.wait()
                return f"the broker is up already: {self.address}"
            self._prepare()
            self.processes.start(BROKER, self._command("kafka.Kafka"), {})
            try:
                self.wait()
            except BaseException:
                self.processes.end([BROKER])
                raise
            return f"the broker is up: {self.address}"

    def down(self) -> str:
        """End it, remove its records and every other file, and say so."""
        with alone(self.settings.folder.parent):
            if not self.settings.marks(self.settings.folder):
                return "the broker is down already"
            self.processes.end([BROKER])
            shutil.rmtree(self.settings.folder)
        return "the broker is down"

    def kill(self) -> None:
        """Kill it as a crash would, and leave it at that."""
        self.processes.kill(BROKER)

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            Problem: It has ended, or time is up; with the end of its log.
        """
        end = time.monotonic() + self.settings.timeout_s
        while self.topics() is None:
            if BROKER not in self.processes.alive():
                raise Problem(f"the broker has ended; {self.processes.tail(BROKER)}")
            if time.monotonic() > end:
                waited = f"after {self.settings.timeout_s:g} s"
                raise Problem(f"the broker does not answer {waited}; {self.processes.tail(BROKER)}")
            time.sleep(POLL_S)

    def client(self) -> KafkaConfig:
        """Return how a client finds it and is let in."""
        folder = self.settings.security
        return KafkaConfig(self.address, f"{folder}/client.properties" if folder else "")

    def topics(self) -> list[str] | None:
        """Ask the broker for its topics; None if it does not answer (yet)."""
        # Here, as taking the broker down needs no client.
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        quiet = {"log_level": 0, "error_cb": lambda _: None}
        client = AdminClient({**self.client().client_settings(), **quiet})
        try:
            return sorted(client.list_topics(timeout=ASK_S).topics)
        except KafkaException:
            return None

    def _prepare(self) -> None:
        """Refuse what cannot work, then lay out the storage unless it is there."""
        folder = self.settings.folder
        self.settings.refuse_others()
        parts.java()
        parts.broker()
        refuse_taken(self.settings.ports())
        folder.mkdir(parents=True, exist_ok=True)
        self.settings.save()
        path = configuration.write_broker(self.settings)
        if (folder / "data" / "meta.properties").exists():
            return
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        layout = self._command("kafka.tools.StorageTool")[:-1]
        # In one word each: an id may begin with a dash.
        line = [*layout, "format", "--standalone", f"--cluster-id={cluster}", f"--config={path}"]
        run("to lay out the broker's storage", line)

    def _command(self, entry: str) -> list[str]:
        given = self.settings
        memory = [f"-Xmx{given.heap_mb}m", *given.java_options.split()]
        path = str(given.folder / "server.properties")
        return [str(parts.java()), *memory, "-cp", f"{parts.broker()}/*", entry, path]


def main(arguments: Sequence[str] | None = None) -> int:
    """Start, look at and stop a Kafka broker. Environment variables set it: docs/flink.md."""
    parser = argparse.ArgumentParser(prog="python -m flink.dev.broker", description=main.__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("up", help="start it, on the records that are there if any")
    actions.add_parser("down", help="end it, remove its records and every other file")
    actions.add_parser("status", help="say whether it answers; 1 if not")
    actions.add_parser("kill", help="kill it; its records stay")
    actions.add_parser("logs", help="print the end of its log")
    given = parser.parse_args(arguments)
    return reported(lambda: _act(given.action))


def _act(action: str) -> int:
    broker = Broker(settings_for(action, BrokerSettings))
    if action != "status":
        act(broker, action, BROKER)
        return 0
    topics = broker.topics()
    known = "does not answer" if topics is None else f"topics: {', '.join(topics) or 'none'}"
    print(f"{broker.address}, {known}")
    return 1 if topics is None else 0


if __name__ == "__main__":
    sys.exit(main())
