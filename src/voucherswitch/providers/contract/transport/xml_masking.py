"""Make an XML message safe to keep: what could be spent, or could open a door, becomes `***` (providers.md B.9).

By structure, like `JsonMask`: by the names of elements and attributes, at any depth, under any namespace prefix. Of a
document that cannot be parsed only its size and type are kept.
"""

from lxml import etree

from voucherswitch.message.marks import Shown, without_codes
from voucherswitch.providers.contract.answers import BadAnswer
from voucherswitch.providers.contract.transport.masking import (
    MASKED_WHEN_TEXT,
    WireMask,
    unreadable,
)
from voucherswitch.providers.contract.transport.xml import Element, attributes_of, parse

_PLAIN, _QUOTED, _HIDDEN = Shown.PLAIN, Shown.QUOTED, Shown.HIDDEN  # see masking.py


class XmlMask(WireMask):
    """Masks the text of elements and the values of attributes.

    Everything inside a hidden element is hidden with it. Comments and processing instructions are left out.
    """

    def __call__(self, body: bytes, content_type: str | None) -> str:
        if not body:
            return ""
        self._hidden = []
        try:
            root = parse(body)
        except BadAnswer:
            return unreadable(len(body), content_type)
        known = self._known
        for element in root.iter():
            shown = known.get(element.tag)
            if shown is None:
                shown = self.shown(element.tag)
            # A voucher that is text is one; of one with elements in it they tell.
            if shown is _QUOTED and not len(element) and element.tag.rpartition("}")[2] in MASKED_WHEN_TEXT:
                shown = _HIDDEN
            if shown > _QUOTED:
                self._mask_all(element, shown)
                continue
            if shown is _QUOTED and (text := element.text):
                element.text = self._made_safe(text, shown)
            if (tail := element.tail) and not tail.isspace():  # text between elements, which nobody declares
                element.tail = without_codes(tail)
            for name, value in attributes_of(element).items():
                if (shown := self.shown(name)) is not _PLAIN:
                    element.set(name, self._made_safe(value, shown))
        return self._recorded(etree.tostring(root, encoding="unicode"), body, content_type)

    def _made_safe(self, text: str, shown: Shown) -> str:
        # Whether a PIN was there at all must stay visible, so blank text does.
        bare = text.strip()
        if not bare:
            return text
        safe = self.value(bare, shown)
        return text if safe == bare else str(safe)

    def _mask_all(self, hidden: Element, shown: Shown) -> None:
        """Hide an element with everything in it. `shown`: how its text is shown when there is nothing else in it."""
        shown = _HIDDEN if len(hidden) else shown
        for element in hidden.iter():
            if element.text:
                element.text = self._made_safe(element.text, shown)
            if element is not hidden and element.tail:
                element.tail = self._made_safe(element.tail, _HIDDEN)
            for name, value in attributes_of(element).items():
                element.set(name, self._made_safe(value, _HIDDEN))

    def _treatment(self, name: str) -> Shown:
        return super()._treatment(name.rpartition("}")[2])
