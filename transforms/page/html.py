"""Pages out of templates: every text is escaped, and whatever a template lacks is an error."""

from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


def render(room: str, template: str, **values: Any) -> str:
    """Return a page: one text without references to anything outside it.

    Args:
        room: Package whose folder holds the template. What pages share (``base.html``,
            ``macros.html``, ``page.css``) is found beside this module.
        template: Its name.
        values: What the template names. Only Markup, as from ``drawing.svg``, is taken as HTML.

    Raises:
        jinja2.UndefinedError: The template names what is not given.
    """
    rooms = [PackageLoader(package, ".") for package in (room, __package__)]
    environment = Environment(
        loader=ChoiceLoader(rooms),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(values)
