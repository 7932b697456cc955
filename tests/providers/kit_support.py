"""What the tests of the conformance kit share: providers whose connectors cost little to build."""

from collections.abc import Mapping
from typing import Any

import msgspec

from providers.pair_support import PLAIN
from voucherswitch.providers.kit.subject import Subject


def plain(subject: Subject) -> Subject:
    """A provider whose connectors load no authorities: the simulators speak no TLS, and each scenario builds two."""

    def settings(simulator: Any) -> Mapping[str, Any]:
        found = subject.profile.settings(simulator)
        return {**found, **PLAIN} if "base_url" in found else found

    return msgspec.structs.replace(subject, profile=msgspec.structs.replace(subject.profile, settings=settings))
