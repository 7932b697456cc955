"""Make an XML message safe to keep: what could be spent, or could open a door, becomes `***` (providers.md B.9).

By structure, like `JsonMask`: by the names of elements and attributes, at any depth, under any namespace prefix. Of a
document that cannot be parsed only its size and type are kept.
"""

from collections.abc import Iterable
from typing import Final

from lxml import etree

from voucherswitch.providers.contract.answers import BadAnswer
from voucherswitch.providers.contract.transport.masking import (
    FREE_TEXT,
    HIDDEN,
    LAST_FOUR,
    MASK,
    MASKED_NAMES,
    MASKED_WHEN_TEXT,
    PROPERTY_NAMES_MAX,
    RECORDED_CHARS_MAX,
    SHOWN,
    last_four,
    treatment_of,
    unreadable,
    without_codes,
    without_secrets,
)
from voucherswitch.providers.contract.transport.xml import Element, attributes_of, parse

_HIDDEN_WHEN_TEXT: Final = "hidden when it is text"


class XmlMask:
    """Masks the text of secret elements and the values of secret attributes.

    Everything inside a secret element is hidden with it. Comments and processing instructions are left out.

    Args:
        extra_names: further secret names of one provider.
        own_words: words of the provider's published protocol, such as its error codes: a secret name that holds exactly
            one of them shows it.
    """

    def __init__(self, extra_names: Iterable[str] = (), own_words: Iterable[str] = ()) -> None:
        self._names = MASKED_NAMES | {name.lower() for name in extra_names}
        self._own_words = frozenset(own_words)
        self._hidden: list[str] = []  # in the document that is being masked
        self._treatments: dict[str, str] = {}  # tag or attribute, as lxml writes it -> what is done with its value

    def __call__(self, body: bytes, content_type: str | None) -> str:
        if not body:
            return ""
        self._hidden = []
        try:
            root = parse(body)
        except BadAnswer:
            return unreadable(len(body), content_type)
        known = self._treatments
        for element in root.iter():
            tag = element.tag
            treatment = known.get(tag) or self._learn(tag)
            if treatment is HIDDEN:
                self._mask_all(element)
                continue
            if element.text and treatment is not SHOWN:
                element.text = self._made_safe(element.text, treatment)
            for name, value in attributes_of(element).items():
                if (known.get(name) or self._learn(name)) is HIDDEN:
                    element.set(name, self._masked(value))
        # What is secret in one element is secret in every other: a provider may put a PIN into a reference.
        text = without_secrets(etree.tostring(root, encoding="unicode"), self._hidden)
        if len(text) > RECORDED_CHARS_MAX:
            return f"{text[:RECORDED_CHARS_MAX]}… ({len(text)} characters)"
        return text

    def _made_safe(self, text: str, treatment: str) -> str:
        if treatment is FREE_TEXT:
            return without_codes(text)
        return last_four(text) if treatment is LAST_FOUR else self._masked(text)

    def _mask_all(self, hidden: Element) -> None:
        for element in hidden.iter():
            if element.text:
                element.text = self._masked(element.text)
            if element is not hidden and element.tail:
                element.tail = self._masked(element.tail)
            for name, value in attributes_of(element).items():
                element.set(name, self._masked(value))

    def _masked(self, text: str) -> str:
        # Whether a PIN was there at all must stay visible, so blank text does.
        bare = text.strip()
        if not bare or bare in self._own_words:
            return text
        self._hidden.append(bare)
        return MASK

    def _learn(self, name: str) -> str:
        local = name.rpartition("}")[2]
        treatment = treatment_of(local.lower(), self._names)
        if treatment is SHOWN and local in MASKED_WHEN_TEXT:
            treatment = _HIDDEN_WHEN_TEXT
        if len(self._treatments) < PROPERTY_NAMES_MAX:
            self._treatments[name] = treatment
        return treatment
