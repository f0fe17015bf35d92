"""The report of a run: one HTML page, where the links of messages land."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse
from starlette.datastructures import Headers
from starlette.types import Scope

from service.api.access import Asking, check
from service.api.body import StrictRoute
from service.api.problems import MEDIA_TYPE, from_exception
from service.api.resources import Opened
from service.auth.caller import Caller
from service.auth.report_key import PARAMETER, came_by_link
from service.database.runs import Run, get_run
from service.errors import UnauthenticatedError, UnknownError
from service.report.gather import Wanted, gather
from service.report.page import POLICY, page, refusal

router = APIRouter(prefix="/v1/detections", tags=["detections"], route_class=StrictRoute)

_HEADERS = {
    "Content-Security-Policy": POLICY,
    # A key in the address must reach nobody else.
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@router.get(
    "/{detection}/report",
    operation_id="getDetectionReport",
    response_class=HTMLResponse,
    responses={
        401: {
            "content": {
                "text/html": {"schema": {"type": "string"}},
                MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}},
            },
            "description": "No token, or a link that is cut off or has expired: a page for people "
            "where `Accept` names text/html.",
        }
    },
)
def get_report(
    opened: Opened,
    caller: Asking,
    detection: str,
    page_number: Annotated[
        int, Query(alias="page", ge=1, le=100_000, description="Twenty series each, worst first.")
    ] = 1,
    key: Annotated[
        str | None,
        Query(alias=PARAMETER, description="Of a link in a message: opens this report alone."),
    ] = None,
) -> HTMLResponse:
    """One page for people: what was found with charts, what was not judged, who was told."""
    with opened.database.read() as tx:
        run = get_run(tx, detection)
    if run is None:
        raise UnknownError(f"detection {detection} does not exist, or you may not see it")
    check(caller, "read", run.source, f"detection {detection}")
    query = urlencode({PARAMETER: key}) if key is not None else ""
    links = _links(run, caller, opened.settings.public_url.rstrip("/"))
    wanted = Wanted(page_number, links, query)
    facts = gather(opened.database, opened.stores, run, opened.clock.now_ms(), wanted)
    return HTMLResponse(page(facts), headers=_HEADERS)


def refused(scope: Scope, headers: Headers, error: Exception) -> Response:
    """The refusal of a request that never came in: a page for whoever follows a link."""
    answer = from_exception(error)
    by_link = scope["path"].endswith("/report") and "text/html" in headers.get("accept", "")
    if not by_link or not isinstance(error, UnauthenticatedError):
        return answer
    words = refusal("This report does not open", str(error))
    challenge = {"WWW-Authenticate": answer.headers["WWW-Authenticate"]}
    return HTMLResponse(words, answer.status_code, {**_HEADERS, **challenge})


def _links(run: Run, caller: Caller, base: str) -> dict[str, str]:
    """Other places about the run; a key opens none of the API's, so it is not shown them."""
    workflow = (run.progress or {}).get("link")
    links = {"workflow": str(workflow)} if workflow else {}
    if base and not came_by_link(caller):
        links["run (API)"] = f"{base}/v1/detections/{run.id}"
        links["anomalies (API)"] = f"{base}/v1/anomalies?run={run.id}"
    return links
