"""The version that is written beside every output."""

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """Return the installed version, or ``0+source`` from a folder that is not installed."""
    try:
        return version("wavefier")
    except PackageNotFoundError:
        return "0+source"
