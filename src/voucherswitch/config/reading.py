"""Where a setting's value comes from, and how a wrong one is refused: in one line that says what to set."""

import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

ENV_PREFIX: Final = "VOUCHERSWITCH_"
CONFIG_VARIABLE: Final = "VOUCHERSWITCH_CONFIG"
CONFIG_FILE: Final = "voucherswitch.toml"

# The definitions of all settings, by name.
Fields: TypeAlias = Mapping[str, FieldInfo]

# Values are quoted in errors up to this length; a longer one is recognised by its beginning.
_QUOTED_CHARS_MAX: Final = 60

# A variable this close to a setting's is a slip of the finger. What Kubernetes sets by itself is further off:
# VOUCHERSWITCH_CONSOLE_SERVICE_HOST is 0.75 from console_host.
_SLIP_SIMILARITY: Final = 0.85


class SettingsError(Exception):
    """A setting is wrong. The text is one line: which setting, from where, what is wrong, what to set."""

    def __init__(self, setting: str, origin: str, wrong: str, fix: str) -> None:
        super().__init__(" ".join(f"{setting} ({origin}): {wrong}; {fix}".split()))
        self.setting = setting


def variable_of(fields: Fields, name: str) -> str:
    """The environment variable of a setting."""
    alias = fields[name].validation_alias
    return alias.upper() if isinstance(alias, str) else ENV_PREFIX + name.upper()


def annotation_of(field: FieldInfo) -> Any:
    """A field's type without `Annotated` and without `| None`."""
    annotation: Any = field.annotation
    if get_origin(annotation) in (Union, UnionType):
        annotation = next(member for member in get_args(annotation) if member is not type(None))
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def extra_of(field: FieldInfo, key: str) -> str | None:
    """What the field's definition says about itself beyond its type: `accepts`, `default_text`, `secret`."""
    extra = field.json_schema_extra
    value = extra.get(key) if isinstance(extra, dict) else None
    return None if value is None else str(value)


def bounds_of(field: FieldInfo) -> tuple[int, int] | None:
    """The least and the greatest value of a whole number."""
    low = next((item.ge for item in field.metadata if isinstance(item, Ge)), None)
    high = next((item.le for item in field.metadata if isinstance(item, Le)), None)
    return (low, high) if isinstance(low, int) and isinstance(high, int) else None


def accepts(field: FieldInfo) -> str:
    """What may be set, in words: "1 to 65535"."""
    stated = extra_of(field, "accepts")
    if stated is not None:
        return stated
    annotation = annotation_of(field)
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(annotation))
    bounds = bounds_of(field)
    if bounds is not None:
        return f"{bounds[0]} to {bounds[1]}"
    return "an IP address or `localhost`"


def _config_path(environ: Mapping[str, str]) -> Path | None:
    """The settings file to read, None when there is none."""
    named = environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named).expanduser()
    path = Path(CONFIG_FILE)
    return path if path.exists() else None


def read_file(environ: Mapping[str, str], fields: Fields) -> dict[str, Any]:
    """What the settings file holds; refuses what is not a setting."""
    path = _config_path(environ)
    if path is None:
        return {}
    origin = f"environment variable {CONFIG_VARIABLE}" if environ.get(CONFIG_VARIABLE) else "working directory"
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise SettingsError(
            "settings file",
            origin,
            f"{str(path)!r} cannot be read: {error.strerror}",
            "name a readable TOML file",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            "settings file", origin, f"{str(path)!r} is not TOML: {error}", "correct that place"
        ) from None
    for key in values:
        if key not in fields:
            near = get_close_matches(key, fields, n=1)
            raise SettingsError(
                key[:_QUOTED_CHARS_MAX],
                f"file {path}",
                "there is no such setting",
                f"did you mean {near[0]}?" if near else "take it out",
            )
        if extra_of(fields[key], "environment_only"):
            raise SettingsError(
                key,
                f"file {path}",
                "a secret does not belong into a settings file",
                f"take it out; it is read from the environment variable {variable_of(fields, key)} only",
            )
    return values


def refuse_slips(environ: Mapping[str, str], fields: Fields) -> None:
    """A misspelt variable would leave its setting at the default: VOUCHERSWITCH_ENVIROMENT=production, a sandbox."""
    variables = {name.upper(): variable_of(fields, name) for name in fields}
    known = {CONFIG_VARIABLE, *variables.values()}
    for variable in environ:
        name = variable.upper()
        if name in known or not name.startswith(ENV_PREFIX):
            continue
        if near := get_close_matches(name.removeprefix(ENV_PREFIX), variables, n=1, cutoff=_SLIP_SIMILARITY):
            raise SettingsError(
                near[0].lower(),
                f"environment variable {variable}",
                "there is no such setting",
                f"set {variables[near[0]]}",
            )


def origin_of(name: str, values: Mapping[str, Any], fields: Fields) -> str:
    """Where a setting's value came from, in words. The order is that of the sources."""
    if name in values:
        return "argument"
    wanted = variable_of(fields, name)
    for variable, value in os.environ.items():
        if variable.upper() == wanted and value != "":
            return f"environment variable {variable}"
    path = _config_path(os.environ)
    if path is not None and name in read_file(os.environ, fields):
        return f"file {path}"
    return "default"


def settings_error(error: ValidationError, values: Mapping[str, Any], fields: Fields) -> SettingsError:
    """The refusal of the first wrong value."""
    details = error.errors(include_url=False)[0]
    name = str(details["loc"][0])
    field = fields.get(name)
    if field is None:  # only an argument can be: the file was checked
        return SettingsError(name, "argument", "there is no such setting", "take it out")
    return SettingsError(name, origin_of(name, values, fields), _wrong(details, field), f"set {accepts(field)}")


def _wrong(details: ErrorDetails, field: FieldInfo) -> str:
    """What is wrong with a value, quoting it unless it may hold a secret."""
    if extra_of(field, "secret"):
        quoted = "the value"
    else:
        quoted = repr(details["input"])
        quoted = quoted if len(quoted) <= _QUOTED_CHARS_MAX else quoted[:_QUOTED_CHARS_MAX] + "…"
    match details["type"]:
        case "int_parsing" | "int_type" | "int_from_float" | "int_parsing_size":
            return f"{quoted} is not a whole number"
        case "greater_than_equal" | "less_than_equal":
            return f"{quoted} is out of bounds"
        case "value_error":
            return f"{quoted} {details['ctx']['error']}"
        case _:
            return f"{quoted} is not allowed"
