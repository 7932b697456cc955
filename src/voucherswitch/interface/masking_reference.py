"""The published page of what may be seen of each field, made from the marks of the interface's and providers' messages.

Write it with: python -m voucherswitch.interface.masking_reference > docs/reference/masking.md
"""

import importlib
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, Final

from voucherswitch.interface import models
from voucherswitch.message.marks import Declared, Shown, declared_by, declared_in
from voucherswitch.providers import registry

_HEAD: Final = """\
# Masking

Made from the marks beside the fields of all messages by `python -m voucherswitch.interface.masking_reference`; change
those. Why it is done this way: [decision 0028](../decisions/0028-what-may-be-seen-stands-beside-the-field.md).

Messages are masked before they are written: in the trace of the journal, and with it on console pages, in `explain` and
in exports. Nothing unmasks them. A field without a mark is shown as it is.

| Shown | What it is |
|---|---|
| `***` | codes, PINs, tokens, credentials; names, addresses, e-mail; instructions and slips, which may hold a code |
| first 6, last 4 | card numbers; one of ten characters or fewer is starred whole |
| last 4 | telephones, accounts, meters: `***0143`; one of eight characters or fewer is `***` |
| without codes | text for people: six or more digits, and words of capitals with digits, become `***` |
| words | `***`, unless it is a word that the protocol publishes, such as an error code |

What a provider sends and no model declares is judged by its name: secrets, persons and telephones as above, everything
else "without codes", and numbers of ten digits or more as `***`. Of a body that cannot be read size and type are shown.
What is hidden under one name is hidden under every other, and so are the request's own codes, its cashier (six
characters or more, where the provider is told of him) and the provider's credentials, also in base64, hexadecimal
digits, or escaped. Headers are not recorded. Values of a query are masked by their names. Logs hide values by their
keys, passwords in URLs, and marked fields; an order or a message that an error quotes says `***` for these.
"""
_WORDS: Final = {
    Shown.HIDDEN: "`***`",
    Shown.CARD: "first 6, last 4",
    Shown.LAST_FOUR: "last 4",
    Shown.QUOTED: "without codes",
    Shown.WORD: "words",
}


def render() -> str:
    """The reference page, Markdown."""
    return "\n".join([_HEAD, *_interface(), *_providers()]) + "\n"


def _interface() -> Iterator[str]:
    yield "## The interface\n"
    yield "| Field | Shown |\n|---|---|"
    for name in sorted(models.__all__):
        model: Any = getattr(models, name)
        if hasattr(model, "__struct_fields__"):
            for field in declared_by(model):
                if field.name in _own_fields(model) and field.treatment is not Shown.PLAIN:
                    yield f"| {name}.{field.name} | {_WORDS[field.treatment]} |"


def _own_fields(model: Any) -> frozenset[str]:
    """The names of the fields that a model has not from another one, which tells them already."""
    inherited = {field.name for base in model.__bases__ if base in _public() for field in declared_by(base)}
    return frozenset(field.name for field in declared_by(model)) - inherited


def _public() -> frozenset[Any]:
    return frozenset(getattr(models, name) for name in models.__all__)


def _providers() -> Iterator[str]:
    for name in registry.names():
        fields = _merged(field for module in messages_of(name) for field in declared_in(module))
        yield f"\n## {name}\n"
        yield "| Shown | Fields |\n|---|---|"
        for shown, words in _WORDS.items():
            if found := [f"`{field.name}`" for field in fields if field.treatment is shown]:
                yield f"| {words} | {', '.join(found)} |"
        if found := [f"`{field.name}` ({field.because})" for field in fields if field.because]:
            yield f"| as it is, because | {', '.join(found)} |"


def messages_of(provider: str) -> list[ModuleType]:
    """The modules that declare a provider's messages."""
    folder = importlib.import_module(f"voucherswitch.providers.{provider}")
    names = [found.name for found in pkgutil.iter_modules(folder.__path__) if "messages" in found.name]
    return [importlib.import_module(f"{folder.__name__}.{name}") for name in names]


def _merged(fields: Iterable[Declared]) -> list[Declared]:
    """One line a name, the strictest, as masks do it."""
    found: dict[str, Declared] = {}
    for field in fields:
        known = found.get(field.name)
        if known is None or known.treatment < field.treatment:
            found[field.name] = field
    return sorted(found.values(), key=lambda field: field.name.lower())


if __name__ == "__main__":
    sys.stdout.write(render())
