"""The page of the configuration, made of its dataclasses: ``python -m docs.tools.configuration``.

A field's meaning is the text below it in its class, its unit what stands there in brackets.
"""

import argparse
import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from beam_pipeline.config import PipelineConfig
from models.simulation.strain import RealStrain
from models.training.settings import TrainConfig, read
from transforms.checks import Rule, split
from transforms.classify.config import Rate

PAGE = Path(__file__).parents[1] / "configuration.md"
_REQUIRED = "none: it must be given"
_UNIT = re.compile(r" ?\[(s|Hz|ns|bytes|SNR)\]")
_HEAD = """# Configuration

<!-- Made of the dataclasses by `make docs-pages`: edit these. -->

The science of a run is one YAML file, `--config FILE`. It holds what differs from the defaults:

```yaml
whiten: {psd_seconds: 32}
detect:
  threshold: 6.0
```

The command refuses an unknown key, a key that stands twice, a value of another type and a value out
of range; one line names the key. The JSON schema of the file is `beam_pipeline/science.json`, for
editors and other programs. The output folder of each run holds the whole configuration as
`config.yaml`. Where a run happens is not part of the science: options of the command line and
[environment variables](environment.md) say that."""
_TRAINING = """
## Training

`wavefier train --config FILE` and `wavefier evaluate --config FILE` read another kind of file. It
has no defaults: it must name every key of the first table. The tables show the values of the
packaged model (`models/training/train.yaml`), which are used without `--config`.
"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One key of the configuration."""

    key: str
    kind: str
    default: str
    unit: str
    limits: str
    meaning: str

    def row(self) -> str:
        """Return the entry as a row of a table."""
        default = f"`{self.default}`"
        cells = f"`{self.key}`", self.kind, default, self.unit, self.limits, self.meaning
        return f"| {' | '.join(cells)} |"


def entries(kind: type, values: Any = None) -> Iterator[Entry]:
    """Yield the keys of a dataclass that are no dataclasses themselves.

    Args:
        kind: The dataclass.
        values: Holds the values to show; the defaults without one.

    Raises:
        ValueError: A field is not documented.
    """
    said, kinds = meanings(kind), get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        plain, rules = split(kinds[field.name])
        if is_dataclass(plain):
            continue
        if field.name not in said:
            raise ValueError(f"{kind.__name__}.{field.name} has no text below it")
        unit = _UNIT.search(said[field.name])
        value = _default(field) if values is None else getattr(values, field.name)
        yield Entry(
            key=field.name,
            kind=_words(plain),
            default=_REQUIRED if value is MISSING else _yaml(value),
            unit=unit[1] if unit else "",
            limits=", ".join(filter(None, map(_limits, rules))),
            meaning=_UNIT.sub("", said[field.name]),
        )


def meanings(kind: type) -> dict[str, str]:
    """Return the text below each field of a class."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    found: dict[str, str] = {}
    for field, below in pairwise(tree.body if isinstance(tree, ast.ClassDef) else ()):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = " ".join(text.replace("``", "`").split())
    return found


def page() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    kinds = get_type_hints(PipelineConfig)
    for stage in fields(PipelineConfig):
        parts += [f"\n## {stage.name}\n", *_table(kinds[stage.name])]
        if stage.name == "classify":
            parts += ["\n### rates\n", "Each rate has these keys.\n", *_table(Rate)]
    training = read()
    parts += [_TRAINING, *_table(TrainConfig, training)]
    parts += [
        "\n### train, validation and test\n",
        "The file has a section for each of these three sets. Each section has these keys; the"
        " values shown are those of `train`.\n",
        *_table(get_type_hints(TrainConfig)["train"], training.train),
        "\n### strain\n",
        "Each stretch of real strain has these keys.\n",
        *_table(RealStrain),
    ]
    return "\n".join(parts) + "\n"


def _table(kind: type, values: Any = None) -> list[str]:
    summary = inspect.getdoc(kind) or ""
    return [
        f"{summary.splitlines()[0]}\n",
        "| key | type | default | unit | may be | meaning |",
        "|---|---|---|---|---|---|",
        *(entry.row() for entry in entries(kind, values)),
    ]


def _default(field: "Field[Any]") -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def _limits(rule: Rule) -> str:
    """Return what a value may be, in a few words."""
    said = rule.keywords()
    if "enum" in said:
        return ", ".join(f"`{value}`" for value in said["enum"])
    if "minimum" in said and "maximum" in said:
        return f"{said['minimum']:g} to {said['maximum']:g}"
    words = {"minimum": "from", "exclusiveMinimum": "more than", "maximum": "at most"}
    return ", ".join(f"{words[key]} {said[key]:g}" for key in words if key in said)


def _words(kind: Any) -> str:
    if get_origin(kind) is tuple:
        (item, _) = get_args(kind)
        return "list of keys and values" if is_dataclass(item) else f"list of {_words(item)}s"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}[kind]


def _yaml(value: Any) -> str:
    if isinstance(value, tuple) and any(map(is_dataclass, value)):
        return f"{len(value)} of them"
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return str(value) if value != "" else '""'


def main() -> int:
    """Write the page, or see that it is current."""
    parser = argparse.ArgumentParser(prog="docs.tools.configuration", description=__doc__)
    parser.add_argument("--check", action="store_true", help="end with 1 if it is not current")
    made = page()
    if parser.parse_args().check:
        return int(PAGE.read_text("utf-8") != made)
    PAGE.write_text(made, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
