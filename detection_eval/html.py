"""HTML pages from Jinja2 templates: one environment, one layout and one style sheet for every report.

A package keeps its templates in a folder ``templates`` beside its modules. They extend ``shared/page.html``,
which forbids scripts and everything from outside the file. Whatever is put into a template is escaped.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, PrefixLoader, StrictUndefined
from jinja2.loaders import ChoiceLoader
from markupsafe import Markup

from detection_eval.words import counted


def render(package: str, template: str, /, **values: Any) -> Markup:
    """A template of a package filled in; text in ``values`` is escaped, a name that is missing is an error.

    Args:
        package: dotted name of the package whose folder ``templates`` holds the template.
        template: name of the file.
        values: template variables.

    Raises:
        jinja2.UndefinedError: for a name in the template that has no value.
    """
    return Markup(environment(package).get_template(template).render(values))


@cache
def environment(package: str) -> Environment:
    """Template loader of a package: its own by name, the shared ones under ``shared/``."""
    shared = PrefixLoader({"shared": PackageLoader("detection_eval")})
    found = Environment(
        loader=ChoiceLoader([shared, PackageLoader(package)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals["counted"] = counted
    return found
