"""Step 5 of the checks: the user who sent a request is the client it names (rule V3)."""

from voucherswitch.catalogue.snapshot import Originator
from voucherswitch.interface import errors
from voucherswitch.interface.models import Institution
from voucherswitch.message import parties
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.refusals import Detail, RecordedRefusal, Refusal
from voucherswitch.switch.exchange import Reply

INCORRECT_USER = Refusal(
    rule="V3",
    status=400,
    error_type=ErrorType.AUTHENTICATION_ERROR,
    message="Incorrect username",
    explanation="User name and client.id differ.",
)


def wrong_client(originator: Originator, client: Institution, message_id: str) -> Reply | None:
    """The refusal of a request whose client is not its sender, or None."""
    if client.id == originator.id:
        return None
    detail = Detail(client=parties.Institution(id=client.id, name=client.name))
    return errors.render(RecordedRefusal(INCORRECT_USER, detail), message_id)
