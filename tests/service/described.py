"""Checks answers against the API's description of itself: statuses, and in the newest version shapes."""

import re
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from projections.api_version import differs
from service.http.app import OPERATIONS
from service.http.openapi import LINES, statuses
from service.http.operation import Operation
from service.http.schemas import shapes
from service.http.schemas.schema import Refused


class Undescribed(AssertionError):
    """An answer is not what the description says."""


class _Described:
    """What an operation may answer."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.path = re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(operation.path)))
        self.statuses = frozenset(statuses(operation))
        self._shapes: TypeAdapter[Any] | None = None

    @property
    def shapes(self) -> TypeAdapter[Any]:
        """What validates its answers, made once."""
        if self._shapes is None:
            union: Any = None
            for shape in shapes(self.operation.answers):
                union = shape if union is None else union | shape
            self._shapes = TypeAdapter(union)
        return self._shapes


# A path that is spelled out goes before one with an id in the same segment, as it does for the router.
DESCRIBED = [_Described(one) for one in sorted(OPERATIONS, key=lambda operation: operation.path.count("{"))]
REFUSED: type[BaseModel] = Refused


def check(method: str, path: str, status: int, version: str | None, body: bytes) -> None:
    """Raise Undescribed unless the answer is as it is described; what no operation answers is none of ours."""
    path = path.partition("?")[0]
    described = next((one for one in DESCRIBED if one.operation.method == method and one.path.fullmatch(path)), None)
    if described is None:
        return
    name = described.operation.name
    if status not in described.statuses:
        raise Undescribed(f"{name} is not said to answer {status}: {body.decode()[:500]}")
    try:
        if status != 200:
            REFUSED.model_validate_json(body)
        elif version is not None and not differs(version):
            for shown in body.splitlines() if described.operation.answers in LINES else (body,):
                described.shapes.validate_json(shown)
    except ValidationError as error:
        raise Undescribed(f"{name} answers in another shape: {error}") from None
