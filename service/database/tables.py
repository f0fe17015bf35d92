"""The tables. Times are epoch milliseconds; types are those that SQLite and PostgreSQL share.

The database is the system of record for what people did and asked; points and results are in the
archive. Changes go through a migration; a test compares the two.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Only an INTEGER primary key counts up by itself in SQLite.
_COUNTED = BigInteger().with_variant(Integer, "sqlite")

sources = Table(
    "sources",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("kind", String(16), nullable=False),  # managed | external
    Column("timezone", String(64), nullable=False),
    Column("body", JSON, nullable=False),  # as PUT
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("deleted_ms", BigInteger),  # a deleted source keeps its name
)

# What ingests learned; accepting a detection reads only this.
metrics = Table(
    "metrics",
    metadata,
    Column("source", String(63), primary_key=True),
    Column("metric", String(200), primary_key=True),
    Column("step_ms", BigInteger),
    Column("series", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("source", String(63), nullable=False),
    Column("rule", String(200)),
    Column("generation", BigInteger, nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("detector", String(32), nullable=False),  # its type
    Column("body", JSON, nullable=False),  # what was asked, for people and for rerun
    Column("request", JSON, nullable=False),  # what steps are told
    Column("notify", JSON, nullable=False),
    Column("after", JSON, nullable=False),  # ids of ingests that must have succeeded
    Column("accepted_ms", BigInteger, nullable=False),
    Column("deadline_ms", BigInteger, nullable=False),
    Column("started_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("cancel_ms", BigInteger),
    Column("attempt", Integer, nullable=False),
    Column("progress", JSON(none_as_null=True)),
    Column("report", JSON(none_as_null=True)),
    Column("notified", JSON(none_as_null=True)),  # per channel: sent, or held back and why
    Column("error", Text, nullable=False),
    Column("pointer", Text, nullable=False),  # JSON pointer of the field at fault
    Column("rerun_of", String(26)),
    Column("caller", String(200), nullable=False),
    Column("cleaned_ms", BigInteger),  # when the run's folder was removed
    Index(None, "source", "rule", "generation"),
    Index(None, "state", "source", "rule", "ended_ms"),
    Index(None, "accepted_ms"),
)

# The queue. A lane admits one job at a time, in the order of its numbers. A holder is the
# launcher that carries a started run: only its workers look after it.
jobs = Table(
    "jobs",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("dedupe_key", String(200), nullable=False, unique=True),
    Column(
        "kind", String(16), nullable=False
    ),  # run | ingest | load | delivery | compact | janitor | expire
    Column("source", String(63), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("state", String(16), nullable=False),  # queued | running | done | failed
    Column("lane", String(300)),
    Column("lane_number", BigInteger, nullable=False),
    Column("run_at_ms", BigInteger, nullable=False),
    Column("queued_ms", BigInteger, nullable=False),  # when run_at_ms was decided
    Column("attempts", Integer, nullable=False),
    Column("failures", Integer, nullable=False),  # in a row, for the backoff
    Column("owner", String(200)),
    Column("holder", String(200)),
    Column("lease_until_ms", BigInteger),
    Column("error", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Index(None, "state", "kind", "source", "run_at_ms"),
    Index(None, "lane", "state", "lane_number"),
)

ingests = Table(
    "ingests",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("source", String(63), nullable=False),
    Column("state", String(16), nullable=False),
    Column("sequence", BigInteger, nullable=False, unique=True),
    Column("points", BigInteger),
    Column("request", JSON, nullable=False),
    Column("errors", JSON, nullable=False),  # rows at fault, the first ones
    Column("error", Text, nullable=False),
    Column("accepted_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("caller", String(200), nullable=False),
    Index(None, "source", "accepted_ms"),
)

# When a product changed: drawn on charts, named in messages, and a baseline may begin there.
releases = Table(
    "releases",
    metadata,
    Column("source", String(63), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("body", JSON, nullable=False),  # as it was sent
    Column("created_ms", BigInteger, nullable=False),
    Column("caller", String(200), nullable=False),
    Index(None, "source", "time_ms"),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(300), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("caller", String(200), primary_key=True),
    Column("route", String(100), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("kind", String(16), nullable=False),  # run | ingest
    Column("object_id", String(26), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Index(None, "created_ms"),
)

channels = Table(
    "channels",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("kind", String(16), nullable=False),  # webhook | slack | alertmanager
    Column("body", JSON, nullable=False),  # without secrets
    Column("secret", Text, nullable=False),  # encrypted
    Column("events", JSON, nullable=False),
    Column("disabled_reason", Text, nullable=False),
    Column("failing_until_ms", BigInteger),  # read by the version before; now in endpoints
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("deleted_ms", BigInteger),
)

# The outbox: the id is the message's, the body is fixed when it is queued.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("run", String(26), nullable=False),
    Column("source", String(63), nullable=False),
    Column("channel", String(63), nullable=False),
    Column("event", String(16), nullable=False),
    Column("counter", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(16), nullable=False),  # pending | sent | held | dead
    Column("attempts", Integer, nullable=False),
    Column("next_try_ms", BigInteger),
    Column("error", Text, nullable=False),
    Column("status_code", Integer),
    Column("created_ms", BigInteger, nullable=False),
    Column("sent_ms", BigInteger),
    Column("slot_ms", BigInteger),  # its turn at a paced endpoint
    Column("since_ms", BigInteger),  # tried since then; null: since it was created
    Column("receipt", JSON(none_as_null=True)),  # how the receiver names the message
    UniqueConstraint("run", "channel", "event"),
    Index(None, "state", "created_ms"),
    Index(None, "channel", "state"),
)

# Whom several channels may reach: its circuit and its pace. The key is a hash: a URL may be secret.
endpoints = Table(
    "endpoints",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("free_ms", BigInteger),  # the next turn that nobody has taken
    Column("failing_until_ms", BigInteger),  # left alone until then
    Column("failures", Integer, nullable=False),  # in a row
    Column("used_ms", BigInteger, nullable=False),
)

# One notification per (channel, anomaly, transition).
ledger = Table(
    "ledger",
    metadata,
    Column("channel", String(63), primary_key=True),
    Column("anomaly", String(32), primary_key=True),
    Column("transition", Integer, primary_key=True),
    Column("status", String(16), nullable=False),  # found | withdrawn | ended: what was said
    Column("source", String(63), nullable=False),
    Column("rule", String(200), nullable=False),
    Column("series", String(32), nullable=False),
    Column("ts_ms", BigInteger, nullable=False),
    Column("episode_ms", BigInteger, nullable=False),  # start of the episode spoken of
    Column("severity", String(16), nullable=False),
    Column("delivery", String(40), nullable=False),
    Column("run", String(26), nullable=False),
    Column("said_ms", BigInteger, nullable=False),
    Index(None, "channel", "source", "rule", "series"),
    Index(None, "said_ms"),
)

# What people said of anomalies: the index shows it. ``told`` is the number of the last saying
# that the index has been told.
verdicts = Table(
    "verdicts",
    metadata,
    Column("anomaly", String(32), primary_key=True),
    Column("source", String(63), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("comment", Text, nullable=False),
    Column("caller", String(200), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),  # counts what was said of it
    Column("told", Integer, nullable=False),
    Index(None, "source", "anomaly"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("previous_hash", String(64), index=True),  # the secret before, while it is replaced ...
    Column("previous_until_ms", BigInteger),  # ... which holds until then
    Column("previous_used_ms", BigInteger),  # last use of the one before
    Column("rotated_ms", BigInteger),
    Column("sources", JSON, nullable=False),
    Column("verbs", JSON, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("last_used_ms", BigInteger),  # of the newest secret
    Column("revoked_ms", BigInteger),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _COUNTED, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("caller", String(200), nullable=False),
    Column("action", String(64), nullable=False),
    Column("object", String(200), nullable=False),
    Column("detail", JSON, nullable=False),
    Column("request", String(64)),  # id of the request that made it
    Index(None, "at_ms"),
    Index(None, "caller", "id"),
    Index(None, "object", "id"),
)
