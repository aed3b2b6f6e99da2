"""The graph as a picture, drawn from Beam's own description of the pipeline.

``python -m beam_pipeline.picture`` prints it in the language of Mermaid; with ``--write``, it
goes into the pages that show it.
"""

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam

from beam_pipeline.archive import ArchiveJob, build_archive
from beam_pipeline.config import PipelineConfig
from beam_pipeline.live import LiveJob, build_live
from transforms.broker import KafkaConfig

PAGES = ("README.md", "docs/pipeline.md")
"""Pages with a picture between ``<!-- graph MODE OPENED -->`` and ``<!-- end of graph -->``."""
OPENED = ("Analyse",)
"""Composites that are drawn with what is inside."""
_PLACE = re.compile(
    r"(<!-- graph (live|archive)((?: \w+)*) -->\n).*?(<!-- end of graph -->)", re.DOTALL
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """A transform of the picture."""

    path: tuple[str, ...]
    """Labels, from the outermost on."""
    inputs: frozenset[str]
    """Names of the collections that it takes."""
    outputs: Mapping[str, str]
    """Collection -> the name that it has as an output."""


def pipeline(mode: str) -> beam.Pipeline:
    """Return the graph of ``live`` or ``archive``, laid but not run."""
    config = PipelineConfig()
    laid = beam.Pipeline(runner="apache_beam.runners.portability.fn_api_runner.FnApiRunner")
    if mode == "archive":
        build_archive(
            laid, ArchiveJob(files=("strain.gwf",), output="results"), config, Path("results")
        )
    else:
        job = LiveJob(
            kafka=KafkaConfig("localhost:9092"),
            topics=("strain",),
            group="wavefier",
            start="latest",
            publish="wavefier",
        )
        build_live(laid, job, config)
    return laid


def steps(laid: beam.Pipeline, opened: Collection[str] = OPENED) -> list[Step]:
    """Return the transforms of a pipeline in order, composites as a whole.

    Args:
        laid: The pipeline.
        opened: Labels of composites instead of which their parts are given.
    """
    transforms = laid.to_runner_api().components.transforms
    return list(_steps(transforms, transforms[_root(transforms)].subtransforms, opened))


def _root(transforms: Mapping[str, Any]) -> str:
    inside = {name for one in transforms.values() for name in one.subtransforms}
    (root,) = set(transforms) - inside
    return root


def _steps(
    transforms: Mapping[str, Any], names: Sequence[str], opened: Collection[str]
) -> Iterator[Step]:
    for name in names:
        one = transforms[name]
        path = tuple(one.unique_name.split("/"))
        if one.subtransforms and path[-1] in opened:
            yield from _steps(transforms, one.subtransforms, opened)
        else:
            outputs = {pcoll: tag for tag, pcoll in one.outputs.items()}
            yield Step(path=path, inputs=frozenset(one.inputs.values()), outputs=outputs)


def mermaid(drawn: Sequence[Step]) -> str:
    """Return a flowchart: boxes are transforms, frames are composites, arrows collections."""
    made_by: dict[str, int] = {}
    for number, step in enumerate(drawn):
        for pcoll in step.outputs:
            made_by.setdefault(pcoll, number)  # a composite may hand on what it was given
    lines = ["flowchart LR"]
    lines += _boxes([(step.path, number) for number, step in enumerate(drawn)], "    ")
    arrows: dict[tuple[int, int], list[str]] = defaultdict(list)
    for number, step in enumerate(drawn):
        for pcoll in sorted(step.inputs):
            maker = made_by.get(pcoll)
            if maker is not None and maker != number:
                arrows[maker, number].append(_label(drawn[maker].outputs[pcoll]))
    for (maker, number), labels in sorted(arrows.items()):
        text = ", ".join(sorted(filter(None, labels)))
        lines.append(f"    n{maker} -->{f'|{text}|' if text else ''} n{number}")
    return "\n".join(lines)


def _boxes(placed: Sequence[tuple[tuple[str, ...], int]], indent: str) -> Iterator[str]:
    inside: dict[str, list[tuple[tuple[str, ...], int]]] = {}
    for path, number in placed:
        if len(path) == 1:
            yield f'{indent}n{number}["{path[0]}"]'
        else:
            inside.setdefault(path[0], []).append((path[1:], number))
    for name, members in inside.items():
        yield f'{indent}subgraph {name.replace(" ", "_")}_{members[0][1]}["{name}"]'
        yield from _boxes(members, f"{indent}    ")
        yield f"{indent}end"


def _label(tag: str) -> str:
    """Return the name of an output, where it has one that people gave it."""
    return "" if tag in ("None", "") or tag.isdigit() else tag.replace("_", " ")


def picture(mode: str, opened: Collection[str] = OPENED) -> str:
    """Return the picture of a mode as a block of Markdown."""
    return f"```mermaid\n{mermaid(steps(pipeline(mode), opened))}\n```\n"


def drawn(page: str) -> str:
    """Return a page whose pictures are those of the graph as it is."""
    return _PLACE.sub(lambda place: place[1] + picture(place[2], place[3].split()) + place[4], page)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a picture, or write it into the pages."""
    parser = argparse.ArgumentParser(prog="python -m beam_pipeline.picture", description=__doc__)
    parser.add_argument("--mode", choices=("live", "archive"), default="archive")
    text = f"composites whose parts are drawn (default: {' '.join(OPENED)})"
    parser.add_argument("--open", nargs="*", default=OPENED, metavar="LABEL", help=text)
    parser.add_argument("--write", action="store_true", help=f"into {', '.join(PAGES)}")
    options = parser.parse_args(arguments)
    if not options.write:
        sys.stdout.write(picture(options.mode, options.open))
        return 0
    for path in map(Path, PAGES):
        path.write_text(drawn(path.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
