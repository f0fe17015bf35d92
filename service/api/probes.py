"""Outside /v1: whether the process lives, whether it can work, and its metrics."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool

from service.api.access import check_everywhere
from service.api.problems import known, problem
from service.api.resources import Opened
from service.errors import DatabaseError
from service.metrics_endpoint import Measures

router = APIRouter(tags=["probes"])


@router.get("/livez", operation_id="getLivez")
async def livez() -> dict[str, str]:
    """Alive; depends on nothing."""
    return {"status": "alive"}


@router.get("/readyz", operation_id="getReadyz", response_model=dict[str, str])
async def readyz(opened: Opened) -> Response | dict[str, str]:
    """Ready when the database answers and can be written; 503 while the service ends."""
    if opened.stopping.is_set():
        return problem(503, "stopping", "the service is ending")
    try:
        await run_in_threadpool(opened.database.check)
    except DatabaseError as error:
        _, slug = known(error) or (503, "database")
        return problem(503, slug, str(error))
    return {"status": "ready"}


@router.get(
    "/metrics",
    operation_id="getMetrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus' text format."}},
)
def metrics(request: Request, opened: Opened) -> Response:
    """For Prometheus; names sources and rules, so it needs read for all sources."""
    if not opened.settings.metrics_public:
        check_everywhere(request.state.caller, "read")
    measures: Measures = request.app.state.measures
    return Response(measures.text(), media_type=CONTENT_TYPE_LATEST)
