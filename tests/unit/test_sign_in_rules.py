"""What shuts out after failures, which passwords are taken, and the codes of the second factor. Pure."""

from datetime import UTC, datetime, timedelta

import pytest

from voucherswitch.people import factor, passwords
from voucherswitch.people.lockout import ADDRESS, NAME, OPEN, Guard, failed
from voucherswitch.people.passwords import WeakPasswordError, check_new, common

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def after(failures: int, *, rule: object = NAME, apart: timedelta = timedelta(seconds=1)) -> tuple[Guard, datetime]:
    """So many failures, each as soon as it is possible, at least so far apart."""
    guard, now = OPEN, NOON
    for _ in range(failures):
        now = max(now + apart, guard.shut_until or now)
        guard = failed(guard, ADDRESS if rule is ADDRESS else NAME, now)
    return guard, now


def test_five_failures_shut_a_name_for_a_minute() -> None:
    assert [after(n)[0].shut_for(after(n)[1]) for n in range(1, 6)] == [None, None, None, None, MINUTE]


def test_ten_failures_in_an_hour_shut_a_name_for_half_an_hour() -> None:
    guard, now = after(9)
    assert guard.shut_for(now) is None
    guard, now = after(10)
    assert guard.shut_for(now) == 30 * MINUTE
    guard, now = after(11)
    assert guard.shut_for(now) is None, "and then it begins anew"


def test_ten_failures_in_more_than_an_hour_do_not() -> None:
    guard, now = after(10, apart=7 * MINUTE)
    assert guard.shut_for(now) == MINUTE


def test_twenty_failures_in_five_minutes_shut_an_address_for_a_quarter_of_an_hour() -> None:
    guard, now = after(19, rule=ADDRESS)
    assert guard.shut_for(now) is None
    guard, now = after(20, rule=ADDRESS)
    assert guard.shut_for(now) == 15 * MINUTE
    guard, now = after(20, rule=ADDRESS, apart=timedelta(seconds=16))
    assert guard.shut_for(now) is None


def test_failures_while_it_is_shut_do_not_shut_it_longer() -> None:
    guard, now = after(5)
    assert failed(guard, NAME, now + timedelta(seconds=30)) == guard


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("elevenchars", "12 to 128"),
        ("x" * 129, "12 to 128"),
        ("tab\tin the middle", "control"),
        ("Ann.Example loves tea", "user's name"),
        ("PassWord1234", "tried first"),
        ("P@ssw0rd!2026", "tried first"),
        ("123456789012", "tried first"),
        ("qwertyuiop123", "tried first"),
        ("dragondragon", "tried first"),
        ("aaaaaaaaaaaaa", "tried first"),
        ("!!welcome-back!!2026", "tried first"),
        ("correct-horse-battery-staple", "tried first"),
    ],
)
def test_a_password_that_is_not_taken(password: str, why: str) -> None:
    with pytest.raises(WeakPasswordError, match=why):
        check_new(password, "ann.example")


@pytest.mark.parametrize("password", ["baobab tram 7 lemon", "zebras-in-pyjamas", "Ãltré çøde £ñ 12", "x9!kQ2#vLmPz"])
def test_a_password_that_is_taken(password: str) -> None:
    check_new(password, "ann", "an")


def test_the_shipped_list_is_in_the_form_that_it_is_searched_in() -> None:
    assert len(common()) > 900
    assert [word for word in common() if word != word.casefold().strip()] == []


def test_hashes_have_the_stated_parameters_and_nobody_is_compared_with_somebody() -> None:
    hashed = passwords.hash_new("zebras-in-pyjamas")
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.verify(hashed, "zebras-in-pyjamas")
    assert not passwords.verify(hashed, "zebras-in-pyjama")
    assert not passwords.verify(None, "nobody has this password"), "that is what nobody is compared with"
    assert not passwords.verify("not a hash", "zebras-in-pyjamas")
    assert not passwords.verify(hashed, "z" * 200)


RFC_6238 = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_codes_are_those_of_the_rfc(seconds: int, code: str) -> None:
    """RFC 6238, appendix B, SHA-1: the last six of its eight digits."""
    assert factor.code_at(RFC_6238, seconds // 30) == code


def test_a_code_is_good_one_step_early_or_late_and_once() -> None:
    step = factor.step_of(NOON)
    for off in (-1, 0, 1):
        assert factor.proved_step(RFC_6238, factor.code_at(RFC_6238, step + off), NOON, 0) == step + off
    for off in (-2, 2):
        assert factor.proved_step(RFC_6238, factor.code_at(RFC_6238, step + off), NOON, 0) is None
    code = factor.code_at(RFC_6238, step)
    assert factor.proved_step(RFC_6238, code, NOON, step) is None, "used"
    assert factor.proved_step(RFC_6238, code, NOON, step + 1) is None, "one that is older than a used one"
    assert factor.proved_step(RFC_6238, f" {code[:3]} {code[3:]}", NOON, step - 1) == step
    for nonsense in ("", "12345", "1234567", "١٢٣٤٥٦", "\ud800" * 6):
        assert factor.proved_step(RFC_6238, nonsense, NOON, 0) is None


def test_a_secret_is_written_for_people_and_for_authenticators() -> None:
    assert factor.written(RFC_6238) == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
    assert factor.provisioning_uri(RFC_6238, "ann@x", "voucherswitch sandbox") == (
        "otpauth://totp/voucherswitch%20sandbox%3Aann%40x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        "&issuer=voucherswitch%20sandbox&algorithm=SHA1&digits=6&period=30"
    )


def test_recovery_codes_are_many_different_and_read_back_however_typed() -> None:
    codes = factor.new_recovery_codes()
    assert len(set(codes)) == 10
    one = factor.recovery_hash("u-1", codes[0])
    assert one == factor.recovery_hash("u-1", codes[0].upper().replace("-", " "))
    assert one != factor.recovery_hash("u-2", codes[0])
    assert factor.recovery_hash("u-1", "123456") is None
