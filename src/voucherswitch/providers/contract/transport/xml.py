"""Reading and writing XML safely, for every provider that speaks it. Pure; for all transports.

Reading: UTF-8 only, no DOCTYPE and so no entities, nothing fetched, nothing repaired, bounded nesting. A document that
breaks a rule is a `BadAnswer`, whose text quotes nothing of it. Comments and processing instructions are left out.

Writing: text is escaped where it is put in, and what XML 1.0 cannot hold at all raises `Unwritable` before anything is
sent. A document is built as text, element by element, so that it comes out byte for byte as the protocol shows it.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NewType, TypeAlias, cast

from lxml import etree

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import NotSent, Pending
from voucherswitch.providers.contract.alerts import MESSAGE_REFUSED
from voucherswitch.providers.contract.answers import BadAnswer

DEPTH_MAX: Final = 32  # elements inside each other; the deepest protocol we know needs eight

Element: TypeAlias = etree._Element

# Reused: making one costs more than parsing a message. The encoding is fixed, so that no declaration can smuggle
# markup past the search for a DOCTYPE.
_PARSER: Final = etree.XMLParser(
    encoding="utf-8",
    no_network=True,
    resolve_entities=False,
    load_dtd=False,
    dtd_validation=False,
    huge_tree=False,
    recover=False,
    remove_comments=True,
    remove_pis=True,
    collect_ids=False,
)
_DOCTYPE: Final = b"<!DOCTYPE"
_TOO_DEEP: Final = etree.XPath("boolean(" + "/*" * (DEPTH_MAX + 1) + ")")
_SPACE: Final = " \t\r\n"


# Reading


def parse(body: bytes) -> Element:
    """Read a document and return its root.

    Raises:
        BadAnswer: it is not well-formed UTF-8 XML, has a DOCTYPE, or is nested deeper than `DEPTH_MAX`.
    """
    if _DOCTYPE in body:
        raise BadAnswer("the answer has a DOCTYPE")
    try:
        root = etree.fromstring(body, _PARSER)
    except (etree.LxmlError, ValueError):
        raise BadAnswer("the answer cannot be read") from None
    if _TOO_DEEP(root):
        raise BadAnswer("the answer is nested too deep")
    return root


def name_of(element: Element) -> str:
    """An element's name without its namespace."""
    return etree.QName(element).localname


def attributes_of(element: Element) -> dict[str, str]:
    """An element's attributes; one of a namespace is named `{urn:x}name`."""
    return cast("dict[str, str]", dict(element.items()))  # never bytes in Python 3, whatever the types say


def children(parent: Element, name: str, *, any_case: bool = False) -> list[Element]:
    """The children of a name, in their order.

    Args:
        name: `{urn:x}Name` finds those of that namespace, under any prefix; `Name` those of every namespace and none.
        any_case: `Name` also finds `name` and `NAME`.
    """
    if any_case:
        wanted = name.lower()
        return [child for child in parent if name_of(child).lower() == wanted]
    return list(parent.iterchildren(name if name.startswith("{") else "{*}" + name))


def child(parent: Element, name: str, *, any_case: bool = False) -> Element | None:
    """The one child of a name; None: there is none. Names as in `children`.

    Raises:
        BadAnswer: there are several, and which one is meant is not ours to guess.
    """
    found = children(parent, name, any_case=any_case)
    if len(found) > 1:
        raise BadAnswer("the answer has an element twice")
    return found[0] if found else None


def text_of(parent: Element, name: str, *, any_case: bool = False) -> str | None:
    """The text of the one child of a name, without the space around it; None: no such child. Names as in `children`.

    Raises:
        BadAnswer: there are several such children, or elements where the text should be.
    """
    found = child(parent, name, any_case=any_case)
    return None if found is None else own_text(found)


def own_text(element: Element) -> str:
    """An element's text, without the space around it.

    Raises:
        BadAnswer: elements are where the text should be, so a part of it might be missed.
    """
    if len(element):
        raise BadAnswer("the answer has elements in a value")
    return (element.text or "").strip(_SPACE)


# Writing

Markup = NewType("Markup", str)  # text that is XML already; everything else is escaped before it becomes a part of it

NOTHING: Final = Markup("")
LINE_BREAK: Final = Markup("\n")
NO_ATTRIBUTES: Final[Mapping[str, str]] = MappingProxyType({})

_IMPOSSIBLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Unwritable(ValueError):  # noqa: N818 (a finding about a message, like BadAnswer)
    """A message has a character that XML 1.0 cannot hold. Nothing was sent."""


UNWRITABLE: Final = NotSent(
    ErrorType.GENERAL_ERROR, provider_message="the request has a character that XML cannot hold", alert=MESSAGE_REFUSED
)
UNWRITABLE_ADVICE: Final = Pending("the advice has a character that XML cannot hold", MESSAGE_REFUSED)


def leaf(name: str, text: str) -> Markup:
    """An element with text: `<name>text</name>`. Names are the protocol's own and are not escaped."""
    return Markup(f"<{name}>{escaped(text)}</{name}>")


def optional(name: str, text: str | None) -> Markup:
    """An element with text; nothing at all where there is no text."""
    return leaf(name, text) if text else NOTHING


def element(name: str, *content: Markup, attributes: Mapping[str, str] = NO_ATTRIBUTES) -> Markup:
    """An element with elements, in the given order; `<name/>` when there are none."""
    start = name
    for key, value in attributes.items():
        start += f' {key}="{_escaped_attribute(value)}"'
    inner = "".join(content)
    return Markup(f"<{start}>{inner}</{name}>" if inner else f"<{start}/>")


def document(root: Markup, *, declaration: bool = False) -> bytes:
    """A whole document as it is sent: UTF-8, nothing before or after the root but, if wanted, the XML declaration.

    Raises:
        Unwritable: it has a character that XML 1.0 cannot hold.
    """
    if _IMPOSSIBLE.search(root):
        raise Unwritable("a character that XML cannot hold")
    return b"".join((b'<?xml version="1.0" encoding="UTF-8"?>' if declaration else b"", root.encode()))


def escaped(text: str) -> Markup:
    """Text as a part of a document; a carriage return would otherwise arrive as a line feed."""
    return Markup(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;"))


def _escaped_attribute(text: str) -> str:
    return escaped(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
