"""A live job as a jar that Flink's application mode runs: nobody has to stay with it.

The jar holds the graph and its options only. Its program is in Beam's job server
(``flink/job-server``), which lies beside it in Flink's ``usrlib``.
"""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

from google.protobuf import json_format

from beam_pipeline.config import PipelineConfig
from beam_pipeline.live import LiveJob, build_live
from transforms.files import whole_file

PROGRAM = "org.apache.beam.runners.flink.FlinkPipelineRunner"
"""Class with which Flink begins."""
POOL = "localhost:50000"
"""Where a TaskManager finds its workers: in the same pod, at the port of Beam's images."""
_FOLDER = "BEAM-PIPELINE"
_NAME = "wavefier"


def write_application(
    path: Path, job: LiveJob, config: PipelineConfig, options: Sequence[str]
) -> None:
    """Write a live job as a jar; it appears whole or not at all.

    Args:
        path: The jar.
        job: What the live job is to do.
        config: The science.
        options: Options of Beam, without a runner.

    Raises:
        transforms.ingest.stitch.stage.ReachError: The configuration cannot be used live.
        transforms.classify.artefact.ArtefactError: The model is missing or does not fit.
        transforms.files.OutputError: The output folder cannot be used.
    """
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.portability.portable_runner import JobServiceHandle, PortableRunner

    read = PipelineOptions(list(options))
    pipeline = beam.Pipeline(options=read)
    build_live(pipeline, job, config)
    proto = PortableRunner.get_proto_pipeline(pipeline, read)
    # Flink's own options are known to Java only.
    values = read.get_all_options(drop_default=True, retain_unknown_options=True)
    values.pop("runner", None)
    encoded = JobServiceHandle.encode_pipeline_options(values)
    files = {
        "pipeline-manifest.json": json.dumps({"defaultJobName": _NAME}),
        f"{_NAME}/pipeline.json": json_format.MessageToJson(proto),
        f"{_NAME}/pipeline-options.json": json_format.MessageToJson(encoded),
    }
    with (
        whole_file(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as jar,
    ):
        for name, text in files.items():
            jar.writestr(f"{_FOLDER}/{name}", text)
