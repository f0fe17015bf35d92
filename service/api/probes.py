"""Outside /v1: whether the process lives, whether it can work, and its metrics."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text
from starlette.concurrency import run_in_threadpool

from service.api.access import check_everywhere
from service.api.problems import problem
from service.api.resources import Opened, Resources
from service.errors import DatabaseError
from service.metrics_endpoint import Measures

router = APIRouter(tags=["probes"])


@router.get("/livez", operation_id="getLivez")
async def livez() -> dict[str, str]:
    """Alive; depends on nothing."""
    return {"status": "alive"}


@router.get("/readyz", operation_id="getReadyz", response_model=dict[str, str])
async def readyz(opened: Opened) -> Response | dict[str, str]:
    """Ready when the database answers; 503 while the service ends."""
    if opened.stopping.is_set():
        return problem(503, "stopping", "the service is ending")
    try:
        await run_in_threadpool(_ask, opened)
    except DatabaseError as error:
        return problem(503, "database", str(error))
    return {"status": "ready"}


def _ask(opened: Resources) -> None:
    with opened.database.read() as tx:
        tx.execute(text("SELECT 1"))


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
