"""The images of a cluster, built without a Docker engine: `python -m flink.images`.

The Dockerfiles in `docker/` are ordinary ones. Here buildah reads them, in a chroot; its base is
a Debian that debootstrap makes, where no other is named.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from flink import parts
from flink.docker import runtime
from flink.processes import Problem, reported, run
from flink.settings import ROOT, Settings
from transforms.checks import Form

DOCKER = ROOT / "flink" / "docker"
BASE = "localhost/debian:bookworm-slim"
SUITE = "bookworm"
NAMES = ("worker", "flink", "kafka")
# What is there before, or refused.
PARTS = {
    "worker": (),
    "flink": (parts.distribution, parts.job_server, parts.s3),
    "kafka": (parts.broker,),
}
PYTHON = "3.11"
# What Debian's own small image leaves out too; copyright files stay.
LEFT_OUT = (
    *("usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian"),
    *("var/cache/apt", "var/lib/apt/lists", "var/log"),
)
NO_DOCS = (
    "path-exclude /usr/share/doc/*\npath-include /usr/share/doc/*/copyright\n"
    "path-exclude /usr/share/man/*\npath-exclude /usr/share/info/*\n"
    "path-exclude /usr/share/locale/*\npath-exclude /usr/share/lintian/*\n"
)
NEWEST = "none"
REGISTRY = Form(r"([\w.-]+(:\d+)?(/[a-z0-9._-]+)*)?", "HOST[:PORT][/FOLDER...]")
TAG = Form(r"(\w[\w.-]{0,127})?", "letters, digits, dots, dashes")
# Texts that become part of names and of command lines.
_BASE = Form(r"([\w.:/-]+(@sha256:[0-9a-f]{64})?)?", "NAME[:TAG][@sha256:...]")
_EXTRA = Form(r"(none|tfx)?", "none, or tfx for classify.backend: tfx_bsl")
_SNAPSHOT = Form(r"(none|\d{8}T\d{6}Z)?", "none, or a time as 20261101T000000Z")
PACKAGES = {"buildah": "buildah", "debootstrap": "debootstrap", "unshare": "util-linux"}
TRUST = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True)
class ImageSettings(Settings):
    """Images of one version.

    Attributes:
        folder: Everything that is made; removed by `make clean`.
        timeout_s: Of no use here.
        java_options: Of no use here.
        registry: What the names begin with: a registry, with its folder if any.
        tag: Of all of them; empty: the project's version.
        base: A Debian, by name, best with its digest; empty: debootstrap makes one.
        snapshot: Debian's packages are those of this time, as snapshot.debian.org names it;
            "none": the newest.
        extra: Of pyproject.toml, for the worker: "tfx" for classify.backend: tfx_bsl; or "none".
    """

    PREFIX: ClassVar[str] = "IMAGES_"

    folder: Path = ROOT / ".flink" / "images"
    registry: Annotated[str, REGISTRY] = "localhost"
    tag: Annotated[str, TAG] = ""
    base: Annotated[str, _BASE] = ""
    snapshot: Annotated[str, _SNAPSHOT] = NEWEST
    extra: Annotated[str, _EXTRA] = runtime.NONE

    def reference(self, name: str) -> str:
        """Return an image's full name."""
        return f"{self.registry}/wavefier/{name}:{self.tag or version()}"

    def digest(self, name: str) -> Path:
        """Return the file that holds the digest of an image that was pushed."""
        return self.folder / f"{name}.digest"

    def archive(self, name: str) -> Path:
        """Return the file in which an image travels to a cluster without a registry."""
        return self.folder / f"{name}.tar"


def version() -> str:
    """Read the project's version."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def arguments(
    name: str, base: str, digest: str, snapshot: str = NEWEST, extra: str = runtime.NONE
) -> dict[str, str]:
    """Return the build arguments of an image: versions, each from the one place that names it.

    Args:
        name: Of the image.
        base: The image that it is built on.
        digest: Of the base.
        snapshot: Whose time Debian's packages are of.
        extra: What else the worker holds.
    """
    known = parts.versions()
    of = {
        "worker": {"PYTHON": PYTHON, "VERSION": version(), "EXTRA": extra},
        "flink": {
            "JAVA": known["java.release"],
            "FLINK": known["flink.version"],
            "BEAM": known["beam.version"],
        },
        "kafka": {"JAVA": known["java.release"], "KAFKA": known["kafka.version"]},
    }
    return {"BASE": base, "BASE_DIGEST": digest, "SNAPSHOT": snapshot, **of[name]}


class Images:
    """Builds images into a store of its own."""

    def __init__(self, settings: ImageSettings) -> None:
        self.settings = settings

    def build(self, names: Sequence[str] = NAMES) -> dict[str, int]:
        """Build images and pack them for a cluster.

        Args:
            names: Which of them.

        Returns:
            Their sizes, uncompressed [bytes].

        Raises:
            Problem: A tool or a part is missing, or a step of a build fails.
        """
        if not names:
            return {}
        require(PACKAGES)
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        base = self.settings.base or self._base()
        if self.settings.base and not self._known(base):
            self._buildah("pull", base)
        for name in names:
            for part in PARTS[name]:
                part()
            self._bud(name, base)
            self._pack(name)
        return {name: self.settings.archive(name).stat().st_size for name in names}

    def push(self, names: Sequence[str] = NAMES) -> list[str]:
        """Push images to their registry; buildah is logged in there.

        Returns:
            Their names with digests, which nobody can put anything else behind.
        """
        pushed = []
        for name in names:
            reference, digest = self.settings.reference(name), self.settings.digest(name)
            self._buildah("push", f"--digestfile={digest}", reference, f"docker://{reference}")
            pushed.append(f"{reference}@{digest.read_text().strip()}")
        return pushed

    def sign(self, names: Sequence[str] = NAMES) -> list[str]:
        """Sign images that were pushed, with cosign and the key in COSIGN_PRIVATE_KEY.

        Raises:
            Problem: One was not pushed from here, or there is no cosign.
        """
        if not shutil.which("cosign"):
            raise Problem("no cosign on the PATH: install it, or leave --sign out")
        signed = []
        for name in names:
            path = self.settings.digest(name)
            if not path.exists():
                raise Problem(f"{name} was not pushed: sign it with --push")
            signed.append(f"{self.settings.reference(name)}@{path.read_text().strip()}")
            line = ["cosign", "sign", "--yes", "--key", "env://COSIGN_PRIVATE_KEY", signed[-1]]
            run("cosign", line)
        return signed

    def _base(self) -> str:
        """Make a small Debian, once of each time."""
        snapshot = self.settings.snapshot
        base = BASE if snapshot == NEWEST else f"{BASE}-{snapshot.lower()}"
        if self._known(base):
            return base
        folder = self.settings.folder / "base"
        made = folder / "made"
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            command = ["debootstrap", "--variant=minbase", SUITE, str(folder)]
            if snapshot != NEWEST:
                command.append(f"http://snapshot.debian.org/archive/debian/{snapshot}")
            run("Debian", command)
            made.touch()
        made.unlink()
        for name in LEFT_OUT:
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).mkdir()
        (folder / "var/cache/apt/archives/partial").mkdir(parents=True)
        (folder / "etc/dpkg/dpkg.cfg.d/no-docs").write_text(NO_DOCS)
        context = self.settings.folder / "context"
        context.mkdir(exist_ok=True)
        tar = ["tar", "--numeric-owner", "-C", str(folder), "-cf", str(context / "base.tar"), "."]
        run("Debian", tar)
        shutil.rmtree(folder)
        self._buildah("bud", "--tag", base, "--file", str(DOCKER / "base.Dockerfile"), str(context))
        shutil.rmtree(context)
        return base

    def _bud(self, name: str, base: str) -> None:
        digest = self._buildah("inspect", "--type=image", "--format={{.FromImageDigest}}", base)
        chosen = self.settings.snapshot, self.settings.extra
        given = arguments(name, base, digest.strip() or "unknown", *chosen)
        command = ["bud", "--layers", "--tag", self.settings.reference(name)]
        command += [f"--build-arg={key}={value}" for key, value in given.items()]
        if name == "worker":
            command += self._secrets()
        self._buildah(*command, "--file", str(DOCKER / f"{name}.Dockerfile"), str(ROOT))

    def _secrets(self) -> list[str]:
        """Return options that hand over pip's index and trust; nothing of it stays inside."""
        done = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"],
            capture_output=True,
            text=True,
            check=False,
        )
        path = self.settings.folder / "pip.conf"
        path.touch(mode=0o600)
        path.write_text(pip_configuration(done.stdout))
        trust = TRUST if TRUST.exists() else path
        return [f"--secret=id=pip,src={path}", f"--secret=id=certificates,src={trust}"]

    def _pack(self, name: str) -> None:
        archive, reference = self.settings.archive(name), self.settings.reference(name)
        archive.unlink(missing_ok=True)
        self._buildah("push", reference, f"docker-archive:{archive}:{reference}")

    def _known(self, reference: str) -> bool:
        images = json.loads(self._buildah("images", "--json") or "[]") or []
        return any(reference in (image["names"] or ()) for image in images)

    def _buildah(self, *command: str) -> str:
        store = self.settings.folder / "store"
        environment = {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "overlay", **os.environ}
        with tempfile.TemporaryDirectory() as state:
            # Its mounts are its own, and go with it.
            line = ["unshare", "--mount", "buildah", "--root", str(store), "--runroot", state]
            return run(f"buildah {command[0]}", [*line, *command], environment)


def pip_configuration(listed: str) -> str:
    """Turn what `pip config list` says into a file for pip in an image that is built.

    Args:
        listed: Lines like ``global.index-url='https://...'``; from several files.
    """
    keys = {}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        option = key.rpartition(".")[2]
        if option in ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout"):
            keys[option] = value.strip("'\"").replace("\\n", " ")
    lines = [f"{option} = {value}\n" for option, value in keys.items()]
    return "".join(["[global]\n", "cert = /run/secrets/certificates\n", *lines])


def require(packages: dict[str, str]) -> None:
    """Check that programs are there.

    Args:
        packages: The Debian package of each.

    Raises:
        Problem: Some are missing, or we may not use them.
    """
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    missing = [package for name, package in packages.items() if not shutil.which(name, path=path)]
    if missing:
        wanted = " ".join(sorted(set(missing)))
        raise Problem(f"missing: apt-get install --no-install-recommends {wanted}")
    if os.geteuid():
        raise Problem("this needs root: it mounts file systems and makes namespaces")


def main(arguments: Sequence[str] | None = None) -> int:
    """Build images and report their sizes. Environment variables set it: docs/kubernetes.md."""
    parser = argparse.ArgumentParser(prog="python -m flink.images", description=main.__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], help="default: all")
    parser.add_argument("--push", action="store_true", help="to IMAGES_REGISTRY")
    parser.add_argument("--sign", action="store_true", help="with cosign, what was pushed")
    options = parser.parse_args(arguments)
    return reported(lambda: _act(options))


def _act(options: argparse.Namespace) -> int:
    images = Images(ImageSettings.from_environment())
    names = options.names or NAMES
    # What is only to be signed was built and pushed before.
    for name, size in images.build(names if options.push or not options.sign else ()).items():
        print(f"{images.settings.reference(name)}: {size / 1e6:.0f} MB")
    if options.push:
        print("pushed:", *images.push(names))
    if options.sign:
        print("signed:", *images.sign(names))
    return 0


if __name__ == "__main__":
    sys.exit(main())
