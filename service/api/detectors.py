"""Detectors: the JSON Schema of every detector, with defaults and help texts."""

from typing import Any

from fastapi import APIRouter

from detectors.schema import json_schemas
from service.api.body import StrictRoute
from service.errors import UnknownError

router = APIRouter(prefix="/v1/detectors", tags=["detectors"], route_class=StrictRoute)


@router.get("", operation_id="listDetectors")
def list_detectors() -> dict[str, dict[str, Any]]:
    """Schema by type of detector."""
    return json_schemas()


@router.get("/{detector}", operation_id="getDetector")
def get_detector(detector: str) -> dict[str, Any]:
    """The schema of one detector."""
    schemas = json_schemas()
    if detector not in schemas:
        raise UnknownError(f"detector {detector}: known are {', '.join(schemas)}")
    return schemas[detector]
