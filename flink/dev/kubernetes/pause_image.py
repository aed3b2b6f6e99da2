"""The image of the container that holds a pod's namespaces: one static program."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

from flink.dev.kubernetes.configuration import PAUSE_IMAGE


def write_pause_image(program: Path, path: Path) -> None:
    """Write the image as `docker save` would, for `ctr images import`.

    Args:
        program: A statically linked program.
        path: The archive.
    """
    layer = _tar({"pause": program.read_bytes()}, 0o755)
    digest = hashlib.sha256(layer).hexdigest()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [PAUSE_IMAGE], "Layers": ["layer.tar"]}]
    files = {
        "config.json": json.dumps(config).encode(),
        "manifest.json": json.dumps(manifest).encode(),
        "layer.tar": layer,
    }
    path.write_bytes(_tar(files, 0o644))


def _tar(files: dict[str, bytes], mode: int) -> bytes:
    """Pack files; the same files are the same bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
