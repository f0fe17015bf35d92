"""What people said: the database decides, and takes what only an index of an older version has."""

from service.database.engine import Database
from service.database.verdicts import adopt_verdict, verdicts_of
from service.verdicts import tell_verdict
from storage.index import AnomalyQuery, Index

_PAGE = 1_000


def adopt_verdicts(database: Database, index: Index, source: str) -> int:
    """Store what the index shows and the database does not have; returns how many."""
    adopted, cursor = 0, None
    while True:
        page = index.search_anomalies(AnomalyQuery(source=source), _PAGE, cursor)
        said = [anomaly for anomaly in page.items if anomaly.verdict_by]
        if said:
            with database.write() as tx:
                adopted += sum(adopt_verdict(tx, anomaly) for anomaly in said)
        cursor = page.cursor
        if cursor is None:
            return adopted


def tell_verdicts(database: Database, index: Index, source: str) -> int:
    """Tell the index all of a source; returns how many it shows."""
    shown, after = 0, ""
    while True:
        with database.read() as tx:
            some = verdicts_of(tx, source, _PAGE, after)
        shown += sum(tell_verdict(database, index, anomaly) is not None for anomaly in some)
        if len(some) < _PAGE:
            return shown
        after = some[-1]
