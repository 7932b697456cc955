"""When an advice is sent again."""

from hypothesis import given
from hypothesis import strategies as st

from voucherswitch.saf.policy import Backoff


@given(st.integers(1, 10_000), st.integers(1, 600_000), st.integers(1, 86_400_000))
def test_a_pause_grows_to_its_ceiling_and_is_never_longer(attempts: int, initial_ms: int, max_ms: int) -> None:
    pause = Backoff(initial_ms, max_ms).pause_ms(attempts)
    full = min(max_ms, initial_ms * 2 ** min(attempts - 1, 30))
    assert full // 2 <= pause <= full


def test_what_failed_together_does_not_come_back_together() -> None:
    pauses = {Backoff(1_000, 60_000).pause_ms(10) for _ in range(100)}
    assert len(pauses) > 50
