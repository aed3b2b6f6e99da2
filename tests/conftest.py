"""What tests share: simulated noise as blocks, the real files, Java and a Kafka broker."""

import math
import os
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
for _pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_pool, "1")

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from beam_pipeline import progress_bar
from flink import charts, parts
from flink.dev.broker import Broker
from flink.processes import Problem, free_ports
from flink.settings import QUICK, BrokerSettings
from models.simulation import noise
from models.training import calibrated, network, novelty
from models.training.export import export
from transforms.classify import artefact
from transforms.classify.artefact import Card
from transforms.detect.config import DetectConfig
from transforms.elements import Block
from transforms.gps import NANOSECONDS, to_ns
from transforms.whiten.config import WhitenConfig

START = 1_000_000_007

# No deadline, and no complaint of slow examples: a slow machine is no fault.
# The same examples each time, so that a test that passed goes on passing: WAVEFIER_EXAMPLES=10000
# searches among others, and may take as much longer before it counts as hung; 20 are a quick look.
EXAMPLES = int(os.environ.get("WAVEFIER_EXAMPLES", "100"))
hypothesis.settings.register_profile(
    "project",
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES <= 100,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("project")
if EXAMPLES > 100:
    os.environ.setdefault("PYTEST_TIMEOUT", str(6 * EXAMPLES))


MARKED_BY = {"java": "java", "helm": "go", "cluster": "cluster", "trained": "slow"}
"""The marker of each test that asks for a fixture, itself or through others."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs servers and tools, and bring the files that wait longest to the front."""
    for item in items:
        for fixture, marker in MARKED_BY.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)
    if not hasattr(config, "workerinput"):
        return
    first = ("cluster", "java", "slow")
    ranks: dict[Path, int] = {}
    for item in items:
        rank = next((n for n, name in enumerate(first) if item.get_closest_marker(name)), 3)
        ranks[item.path] = min(rank, ranks.get(item.path, 3))
    items.sort(key=lambda item: ranks[item.path])


@pytest.fixture(scope="session", autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have what Beam leaves in the folder of temporary files go with the tests' own."""
    folder, before = str(tmp_path_factory.mktemp("temporary")), os.environ.get("TMPDIR")
    tempfile.tempdir = os.environ["TMPDIR"] = folder
    yield
    tempfile.tempdir = None
    os.environ.pop("TMPDIR")
    if before is not None:
        os.environ["TMPDIR"] = before


@pytest.fixture(scope="session", autouse=True)
def patient() -> Iterator[None]:
    """Have a run that takes longer than a while say nothing of it: the machine may be slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress_bar, "LINE_EVERY", math.inf)
        yield


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of the real files."""
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def coloured() -> Callable[..., np.ndarray]:
    """Make noise of a published curve: (curve, seconds, sample_rate, seed) -> strain."""

    def make(curve: str, seconds: int, sample_rate: int = 4096, seed: int = 1) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return noise.coloured(noise.load(curve), seconds * sample_rate, sample_rate, rng)

    return make


@pytest.fixture(scope="session")
def as_block() -> Callable[..., Block]:
    """Make a block of a whole segment: (strain, sample_rate, **fields) -> Block."""

    def make(strain: np.ndarray, sample_rate: int = 4096, **fields: object) -> Block:
        start = int(fields.pop("start_ns", START * NANOSECONDS))
        end = start + to_ns(len(strain), sample_rate)
        values = {
            "ifo": "H1",
            "channel": "H1:TEST-STRAIN",
            "sample_rate": sample_rate,
            "gps_start_ns": start,
            "data": strain.astype(np.float64).tobytes(),
            "segment_start_ns": start,
            "segment_end_ns": end,
            "analyse_start_ns": start,
            "analyse_end_ns": end,
        }
        return Block(**{**values, **fields})

    return make


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Card:
    """Return a model that fits the pipeline, knows three classes and has learnt nothing."""
    classes = ("gaussian", "noise", "unknown")
    folder = tmp_path_factory.mktemp("models") / "untrained"
    with warnings.catch_warnings():
        # Keras 3.15 reads its variables in a way that numpy 2 deprecates.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        known = novelty.unit(np.random.default_rng(2).random((6, network.HIDDEN)))
        network_ = calibrated.with_hidden(network.build(len(classes)))
        export(
            calibrated.CalibratedModel(
                network=network_,
                temperature=(0.4, 0.0),
                novelty=novelty.Novelty(known, (0.0, 0.0)),
                unknown=2,
            ),
            folder,
        )
    fitting = artefact.settings(WhitenConfig(), DetectConfig())
    about = {"settings": fitting, "data": {}, "accuracy": {}}
    return artefact.write_card(folder, "untrained", classes, about)


@pytest.fixture(scope="session")
def java() -> None:
    """Leave out what needs Java where there is none, or fail where it must be there."""
    try:
        parts.tools()
    except Problem as problem:
        if parts.required():
            pytest.fail(str(problem))
        pytest.skip(f"left out: {problem}")


@pytest.fixture(scope="session")
def cluster(java: None) -> None:
    """Say that a Flink cluster is started: one at a time, however many tests run."""


@pytest.fixture(scope="session")
def helm() -> None:
    """Leave out what needs Helm where it can be neither found nor built, or fail if it must be."""
    try:
        charts.possible()
    except Problem as problem:
        if charts.required():
            pytest.fail(str(problem))
        pytest.skip(f"left out: {problem}")


@pytest.fixture(scope="module")
def kafka(java: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Yield a broker of the module's own, which does not run yet; nothing is left of it."""
    port, controller = free_ports(2)
    folder = tmp_path_factory.mktemp("kafka") / "broker"
    made = Broker(BrokerSettings(folder, 240.0, QUICK, port=port, controller_port=controller))
    try:
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def broker(kafka: Broker) -> Broker:
    """Return a broker that runs."""
    kafka.up()
    return kafka
