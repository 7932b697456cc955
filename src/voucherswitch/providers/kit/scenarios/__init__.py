"""All scenarios, in the order in which a report shows them."""

from typing import Final

from voucherswitch.providers.kit.scenario import Scenario
from voucherswitch.providers.kit.scenarios import (
    advices,
    answers,
    doubts,
    refusals,
    sale,
    secrets,
    statement,
    use,
)

ALL: Final[tuple[Scenario, ...]] = (
    *sale.SCENARIOS,
    *use.SCENARIOS,
    *refusals.SCENARIOS,
    *answers.SCENARIOS,
    *doubts.SCENARIOS,
    *advices.SCENARIOS,
    *statement.SCENARIOS,
    *secrets.SCENARIOS,
)
