"""Every metric of this project, by name (docs/monitoring.md says what to do with them)."""

from dataclasses import dataclass

PREFIX = "wavefier"
COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
BUCKETS = (0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 20, 30, 60, 120, 300)
"""Upper ends of the classes of a delay [s]: fine where a live job should be."""
STAGES = ("read", "stitch", "whiten", "search", "classify", "publish")
"""Where processor time is measured, in the order of the data."""


@dataclass(frozen=True)
class Meter:
    """One metric."""

    kind: str
    name: str
    """As in a query, with the prefix before it; a counter's ends in ``_total``."""
    labels: tuple[str, ...]
    help: str


WORKERS = "workers"
"""Known to the endpoint alone."""

CATALOGUE = (
    Meter(COUNTER, "messages_total", (), "messages that were read"),
    Meter(COUNTER, "message_bytes_total", (), "bytes of these"),
    Meter(GAUGE, "waiting_messages", (), "messages that the broker has and nobody read yet"),
    Meter(COUNTER, "frames_total", ("channel",), "frames with strain that were read"),
    Meter(COUNTER, "repeated_frames_total", ("channel",), "frames that were there already"),
    Meter(
        GAUGE,
        "arrival_timestamp_seconds",
        ("channel",),
        "Unix time at which the last frame had arrived on its topic",
    ),
    Meter(
        GAUGE,
        "frame_timestamp_seconds",
        ("channel",),
        "Unix time of the end of the last frame",
    ),
    Meter(COUNTER, "dead_letters_total", ("reason",), "inputs that could not be used"),
    Meter(COUNTER, "blocks_total", ("channel",), "blocks of strain that were put together"),
    Meter(COUNTER, "gaps_total", ("channel", "reason"), "stretches that were not analysed"),
    Meter(COUNTER, "gap_seconds_total", ("channel", "reason"), "strain time of these"),
    Meter(COUNTER, "analysed_seconds_total", ("channel",), "strain time that was analysed"),
    Meter(
        GAUGE,
        "analysed_timestamp_seconds",
        ("channel",),
        "Unix time up to which a channel is analysed, or said not to be",
    ),
    Meter(
        GAUGE,
        "psd_age_seconds",
        ("channel",),
        "strain time since the spectrum in force came into force",
    ),
    Meter(
        GAUGE,
        "range_megaparsecs",
        ("channel",),
        "sky-averaged distance of 1.4 + 1.4 solar masses at SNR 8, of the spectrum in force",
    ),
    Meter(COUNTER, "candidates_total", ("channel",), "candidates that the bank gave"),
    Meter(GAUGE, "open_candidates", ("channel",), "candidates whose trigger is not final yet"),
    Meter(
        COUNTER,
        "cut_sessions_total",
        ("channel",),
        "triggers that end where a signal goes on: it had filled 16 s without a pause",
    ),
    Meter(
        COUNTER,
        "triggers_total",
        ("channel", "label", "status"),
        "messages of triggers that were published",
    ),
    Meter(
        COUNTER,
        "doubtful_triggers_total",
        ("channel",),
        "final triggers whose label has a score below 0.5",
    ),
    Meter(COUNTER, "events_total", ("status",), "messages of events that were published"),
    Meter(
        HISTOGRAM,
        "event_latency_seconds",
        ("status",),
        "from the last frame that an event needed on its topic to its publication",
    ),
    Meter(GAUGE, "model_info", ("model",), "1 for the model that labels"),
    Meter(
        HISTOGRAM,
        "search_latency_seconds",
        ("ifo",),
        "from a block's last frame on its topic to the end of its search",
    ),
    Meter(
        HISTOGRAM,
        "arrival_latency_seconds",
        ("ifo", "status"),
        "from a trigger's last frame on its topic to its publication",
    ),
    Meter(
        HISTOGRAM,
        "data_latency_seconds",
        ("ifo", "status"),
        "from the last sample that a trigger needed to its publication",
    ),
    Meter(COUNTER, "cpu_seconds_total", ("stage",), "processor time of a stage's own work"),
    Meter(GAUGE, WORKERS, (), "processes that count for this endpoint and run"),
)
