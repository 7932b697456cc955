"""The published reference of every setting, made from the definitions in settings.py.

Write it with `make docs`, or: python -m voucherswitch.config.reference > docs/reference/settings.md
"""

import sys
from typing import Literal, get_origin

from pydantic.fields import FieldInfo

from voucherswitch.config import reading
from voucherswitch.config.settings import Settings, env_name

_HEAD = """\
# Settings

Made by `make docs` from `src/voucherswitch/config/`; change the definitions there.

The first of these that has a value wins: a command's option, the environment variable, the settings file, the
default. The settings file is `voucherswitch.toml` in the working directory, or the file that `VOUCHERSWITCH_CONFIG`
names. It holds names and values (`workers = 2`); a name that is not below is refused. A wrong setting stops the start
with one line that says which setting, where it came from, what is wrong and what to set.

In Kubernetes switch off service links (`enableServiceLinks: false`): for a service named `voucherswitch-console` they
set `VOUCHERSWITCH_CONSOLE_PORT` to a URL, which is refused as a port.

| Setting | Environment variable | Type | Default | Accepts | Meaning |
|---|---|---|---|---|---|
"""


def render() -> str:
    """The reference page, Markdown."""
    return _HEAD + "".join(_row(name, field) for name, field in Settings.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    cells = (
        f"`{name}`",
        f"`{env_name(name)}`",
        _type(field),
        _default(field),
        reading.accepts(field),
        field.description or "",
    )
    return "| " + " | ".join(cells) + " |\n"


def _type(field: FieldInfo) -> str:
    annotation = reading.annotation_of(field)
    if get_origin(annotation) is Literal:
        return "choice"
    if get_origin(annotation) is tuple:
        return "list"
    return {"bool": "yes or no", "int": "whole number", "str": "text", "SecretStr": "text", "Path": "path"}[
        annotation.__name__
    ]


def _default(field: FieldInfo) -> str:
    stated = reading.extra_of(field, "default_text")
    if stated is not None:
        return stated
    if isinstance(field.default, tuple):
        return ", ".join(f"`{item}`" for item in field.default)
    return f"`{field.default}`"


if __name__ == "__main__":
    sys.stdout.write(render())
