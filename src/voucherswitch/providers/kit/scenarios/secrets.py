"""Nothing that could be spent is kept in clear (check 19). Every scenario ends with this search; these bring it all."""

from typing import Final

from voucherswitch.message.outcomes import Approved
from voucherswitch.providers.kit.scenario import Scenario, expect, scenario, support
from voucherswitch.providers.kit.scenarios.operations import ADVICES, REQUESTS, prepared, prepared_advice
from voucherswitch.providers.kit.stand import Stand


@scenario("secrets", 19, live=True)
async def secrets(stand: Stand) -> str:
    """No code, PIN or credential is in the record of an exchange, an outcome's text or the simulator's journal."""
    for operation in REQUESTS:
        if support(stand.record, operation).sends:
            await (await prepared(stand, operation))()
    for advice in ADVICES:
        if support(stand.record, advice).sends:
            await (await prepared_advice(stand, advice))()
    expect(bool(stand.legs), "at least one exchange on record", "none")
    return f"{len(stand.secrets)} codes and PINs searched for in {len(stand.legs)} exchanges"


@scenario("secrets-quoted", 19)
async def secrets_quoted(stand: Stand) -> str:
    """Nor are they when answers are cut, or refused with the request's code in hand."""
    for kind in ("malformed", "truncate", "wrong_amount", "bad_pin"):
        order = stand.order()
        await stand.sim.fault(kind, "provision")
        outcome = await stand.provision(order)
        expect(not isinstance(outcome, Approved), "no approval", outcome)
        state = await stand.sim.state(order.request_id)
        if state is not None:
            stand.secrets.add(str(state["code"]))
    if stand.record.redeem.sends:
        act = await prepared(stand, "redeem")
        await stand.sim.fault("decline", "redeem", code=stand.profile.unlisted_code)
        await act()
    return f"{len(stand.secrets)} codes and PINs searched for in {len(stand.legs)} exchanges"


SCENARIOS: Final[tuple[Scenario, ...]] = (secrets, secrets_quoted)
