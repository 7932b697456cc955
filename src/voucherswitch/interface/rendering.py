"""Renders what the flows decide, for each kind of message."""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from voucherswitch.interface import errors
from voucherswitch.interface.decode import encode
from voucherswitch.interface.models import Transaction
from voucherswitch.message.answers import Answer
from voucherswitch.message.refusals import RecordedRefusal
from voucherswitch.security.masking import masked
from voucherswitch.switch.exchange import Reply

R = TypeVar("R", bound=Transaction)


class TransactionRenderer(Generic[R]):
    """Renders the answers to one creating request. `respond` makes a response from a request and an answer."""

    def __init__(self, request: R, respond: Callable[[R, Answer], Struct]) -> None:
        self._request = request
        self._respond = respond

    def answer(self, answer: Answer) -> Reply:
        """201 with the response."""
        return rendered(201, self._respond(self._request, answer))

    def recorded(self, request: bytes, answer: Answer) -> Reply:
        """201 with the response as the first request would have had it."""
        original = msgspec.json.decode(request, type=type(self._request))
        return rendered(201, self._respond(original, answer))

    def refusal(self, refused: RecordedRefusal) -> Reply:
        """The ErrorDetail of this request."""
        return errors.render(refused, self._request.id)

    def echo(self) -> Reply:
        """Never: a request is answered, not echoed."""
        raise TypeError("a creating request is not an advice")


class AdviceRenderer:
    """Renders the answers to one advice."""

    def __init__(self, advice: Struct, advice_id: str) -> None:
        self._advice = advice
        self._id = advice_id

    def echo(self) -> Reply:
        """202 with the advice as received."""
        return rendered(202, self._advice)

    def refusal(self, refused: RecordedRefusal) -> Reply:
        """The ErrorDetail of this advice."""
        return errors.render(refused, self._id)

    def answer(self, _answer: Answer) -> Reply:
        """Never: an advice is acknowledged, not approved."""
        raise TypeError("an advice has no answer")

    def recorded(self, _request: bytes, _answer: Answer) -> Reply:
        """Never: an advice is acknowledged, not approved."""
        raise TypeError("an advice has no answer")


class LookupRenderer(Generic[R]):
    """Renders the answers to a lookup of an earlier request of model `R`."""

    def __init__(self, message_id: str, model: type[R], respond: Callable[[R, Answer], Struct]) -> None:
        self._id = message_id
        self._model = model
        self._respond = respond

    def recorded(self, request: bytes, answer: Answer) -> Reply:
        """200 with the response as it was given."""
        return rendered(200, self._respond(msgspec.json.decode(request, type=self._model), answer))

    def refusal(self, refused: RecordedRefusal) -> Reply:
        """The ErrorDetail, as it was given."""
        return errors.render(refused, self._id)

    def answer(self, _answer: Answer) -> Reply:
        """Never: a lookup approves nothing."""
        raise TypeError("a lookup approves nothing")

    def echo(self) -> Reply:
        """Never: a lookup is not an advice."""
        raise TypeError("a lookup is not an advice")


def rendered(status: int, message: Struct) -> Reply:
    """A message as it is sent and as it is kept."""
    return Reply(status=status, body=encode(message), masked=masked(message))
