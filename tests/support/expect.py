"""What a refusal must say."""

from typing import Any, Final

from dirty_equals import IsStr

from support.client import Answer

SOME_TEXT: Final = IsStr(min_length=1)


def refused(
    answer: Answer,
    status: int,
    error_type: str,
    message: str | None = None,
    *,
    id: str,
    original_id: str | None = None,
    **detail: Any,
) -> None:
    """Assert a refusal with its parts; `detail` is what its detailMessage must hold, and without `original_id` it has
    none."""
    assert (answer.status, answer.error_type) == (status, error_type), answer
    assert answer.body["id"] == id
    assert answer.body.get("originalId") == original_id
    if message is not None:
        assert answer.body["errorMessage"] == message
    missing = {name: value for name, value in detail.items() if answer.detail.get(name) != value}
    assert not missing, answer
    assert "pin" not in answer.raw.decode().lower(), answer


def format_refused(answer: Answer, *, id: str | None, violations: list[tuple[str | None, str]] | None = None) -> None:
    """Assert a FORMAT_ERROR; with `violations` exactly these fields and texts, in this order."""
    assert (answer.status, answer.error_type) == (400, "FORMAT_ERROR"), answer
    assert answer.body["errorMessage"] == "Bad formatting."
    assert answer.body.get("id") == id
    assert "originalId" not in answer.body
    assert answer.violations
    if violations is not None:
        assert [(found.get("field"), found["msg"]) for found in answer.violations] == violations
