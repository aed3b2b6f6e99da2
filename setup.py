"""The packages; metadata, dependencies and tools are in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=find_packages(include=["beam_pipeline*", "transforms*", "models*"]),
    package_data={
        "beam_pipeline": ["*.json"],
        "models": [
            "artefacts/*",
            "artefacts/*/*",
            "artefacts/*/*/*",
            "*/noise_curves/*",
            "*/*.yaml",
            "*/*.html",
        ],
        "transforms.page": ["*.css", "*.html"],
        "transforms.sink.report": ["*.html"],
        "transforms.sink.schemas": ["*.json"],
        "": ["py.typed"],
    },
)
