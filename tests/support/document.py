"""The published OpenAPI document as a judge: may this operation give this answer?"""

import re
from functools import cached_property
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from support.messages import Json

BASE = "/suv/v1"


class Document:
    """What /openapi.json promises of every operation."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self._validators: dict[tuple[str, str, int], Any] = {}

    @cached_property
    def _templates(self) -> list[tuple[re.Pattern[str], str]]:
        # The paths without parameters first: /redemptions/confirmations is no id.
        paths = sorted(self._document["paths"], key=lambda path: "{" in path)
        return [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), path) for path in paths]

    def judge(self, method: str, path: str, status: int, body: Any) -> None:
        """Raise an AssertionError when the answer is none of those that are described."""
        operation, template = self._operation(method, path)
        if operation is None:
            return
        key = (method, template, status)
        if key not in self._validators:
            self._validators[key] = self._validator(key, operation)
        validator = self._validators[key]
        if body is None and (template, status) == ("/redemptions/{requestId}", 403):
            return  # another client's: the status says it all (K4)
        if validator is None:
            assert body is None, f"{method} {template} {status} has no body by the document, but it has: {body}"
            return
        wrong = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]
        assert not wrong, f"{method} {template} {status}: {wrong}"

    def _operation(self, method: str, path: str) -> tuple[Json | None, str]:
        if not path.startswith(f"{BASE}/"):
            return None, ""
        here = path.removeprefix(BASE).partition("?")[0].removesuffix("/")
        if here.endswith("/retries"):
            here = here.removesuffix("retries") + "retry"
        for pattern, template in self._templates:
            if pattern.fullmatch(here) and method.lower() in self._document["paths"][template]:
                return self._document["paths"][template][method.lower()], template
        return None, ""

    def _validator(self, key: tuple[str, str, int], operation: Json) -> Any:
        response = operation["responses"].get(str(key[2]))
        assert response is not None, f"{key} is not described"
        if "$ref" in response:
            response = self._document["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
        if "content" not in response:
            return None
        schema = response["content"]["application/json"]["schema"]
        return Draft202012Validator({**schema, "components": self._document["components"]})
