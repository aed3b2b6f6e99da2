"""One Python worker: ``python -m beam_pipeline.flink.worker``, started by the pool of workers.

It imports and compiles what it will need, and waits for a line of JSON that says where its
runner is. Then it asks the runner for the rest, as the ``boot`` of Beam's images does, and is
Beam's worker. Nothing is staged: pipeline and worker have one environment.
"""

import json
import os
import sys

import grpc
from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc
from google.protobuf import json_format


def main() -> None:
    """Wait for an order, and work until the runner hangs up."""
    _prepare()
    order = sys.stdin.readline()
    if not order:  # the pool has ended
        return
    os.environ.update(json.loads(order))
    name = os.environ["WORKER_ID"]
    with grpc.insecure_channel(os.environ["WAVEFIER_PROVISION"]) as channel:
        service = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        info = service.GetProvisionInfo(request, metadata=[("worker_id", name)]).info
    control = info.control_endpoint.url or os.environ["WAVEFIER_CONTROL"]
    logging = info.logging_endpoint.url or os.environ["WAVEFIER_LOGGING"]
    os.environ.update(
        CONTROL_API_SERVICE_DESCRIPTOR=f'url: "{control}"',
        LOGGING_API_SERVICE_DESCRIPTOR=f'url: "{logging}"',
        PIPELINE_OPTIONS=json_format.MessageToJson(info.pipeline_options),
        RUNNER_CAPABILITIES=" ".join(info.runner_capabilities),
    )
    from apache_beam.runners.worker import sdk_worker_main

    from transforms.observe.record import recorder

    recorder()

    sdk_worker_main.main(sys.argv)


def _prepare() -> None:
    """Do what takes seconds while nobody waits for it."""
    import beam_pipeline.live  # noqa: F401
    from beam_pipeline.config import PipelineConfig
    from transforms.detect.search import warm_up

    usual = PipelineConfig()
    warm_up(usual.detect, usual.whiten.low_frequency)


if __name__ == "__main__":
    main()
