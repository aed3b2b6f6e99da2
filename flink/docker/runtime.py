"""Prints the part of requirements.lock that a worker needs: what pyproject.toml depends on.

Runs in the build of the image, before anything is installed. The lock says of each package
through which others it came; developers' tools and what only training needs stay out. An extra
of pyproject.toml can be named: ``tfx`` for ``classify.backend: tfx_bsl``.
"""

import re
import sys
import tomllib
from pathlib import Path

BUILD = "setuptools"
"""Installs our own code."""
UNUSED = frozenset({"libclang", "tensorboard", "tensorboard-data-server"})
"""TensorFlow names them, and imports none of them to run a model."""
NONE = "none"


def blocks(lock: str) -> dict[str, str]:
    """Cut a lock into its packages, by name."""
    parts = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)
    return {part.partition("==")[0]: part for part in parts if "==" in part}


def through(block: str) -> set[str]:
    """Return the packages through which one came."""
    after = block.partition("# via")[2]
    return set(re.findall(r"^(?:\s*#)?\s+([A-Za-z0-9._-]+)(?: \(.*\))?$", after, re.MULTILINE))


def needed(lock: str, project: str, extra: str = NONE) -> list[str]:
    """Return the blocks of a lock that a project needs, in their order.

    Args:
        lock: Text of requirements.lock.
        project: Text of pyproject.toml.
        extra: One of its extras, or none.

    Raises:
        KeyError: The project depends on what is not locked, or has no such extra.
    """
    known = blocks(lock)
    about = tomllib.loads(project)["project"]
    asked = about["dependencies"]
    if extra != NONE:
        asked += about["optional-dependencies"][extra]
    names = {re.split(r"[^A-Za-z0-9._-]", one)[0].lower() for one in asked} | {BUILD}
    if missing := names - set(known):
        raise KeyError(f"not in requirements.lock: {', '.join(sorted(missing))}")
    parents = {name: through(block) for name, block in known.items()}
    while True:
        more = {name for name in known if parents[name] & names} - names - UNUSED
        if not more:
            return [known[name] for name in known if name in names]
        names |= more


if __name__ == "__main__":
    folder = Path(__file__).parent
    texts = [(folder / name).read_text() for name in ("requirements.lock", "pyproject.toml")]
    sys.stdout.write("".join(needed(*texts, *sys.argv[1:])))
