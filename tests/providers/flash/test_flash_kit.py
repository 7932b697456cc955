"""Flash through the conformance kit with the two messages that its settings can switch on."""

from collections.abc import Mapping
from typing import Any

import msgspec

from providers.kit_support import plain
from voucherswitch.providers.flash.kit import PROFILE
from voucherswitch.providers.kit.report import Verdict
from voucherswitch.providers.kit.runner import chosen, run
from voucherswitch.providers.kit.subject import subject


async def test_nothing_fails_with_refunds_and_reversals_on() -> None:
    def with_flags(at: Any) -> Mapping[str, Any]:
        return dict(PROFILE.settings(at)) | {"refund_enabled": True, "reverse_enabled": True}

    refunds = tuple(msgspec.structs.replace(case, op="refund") for case in PROFILE.codes if case.op == "redeem")
    profile = msgspec.structs.replace(
        PROFILE, settings=with_flags, simulator_profile={"reverse": True}, codes=(*PROFILE.codes, *refunds)
    )
    everything = msgspec.structs.replace(subject("flash"), profile=profile)
    names = (
        *("refund", "codes-refund", "codes-reverse", "advice-", "reverse-", "unlisted-code-advice", "credentials"),
        *("stopped", "refused", "secrets", "consumed", "statement"),
    )
    report = await run(plain(everything), chosen(names))
    assert [result for result in report.results if result.verdict is Verdict.FAILED] == []
    passed = {result.scenario for result in report.results if result.verdict is Verdict.PASSED}
    assert {"refund", "codes-refund", "codes-reverse", "advice-reverse", "reverse-during", "reverse-used"} <= passed
