"""One page of a list, and where the next one begins."""

from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=1000, description="Most items of this page.")]
Cursor = Annotated[
    str | None, Query(description="`cursor` of the page before; leave out for the first page.")
]


class PageOut(BaseModel, Generic[T]):
    """Some items; ``cursor`` is null on the last page."""

    items: list[T]
    cursor: str | None = Field(description="Give it to the same request to get the next page.")
