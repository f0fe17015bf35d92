"""What rotation of tokens, paced endpoints and threads of messages need to be remembered.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only additions, so that processes of the version before go on working beside it."""
    op.create_table(
        "endpoints",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("free_ms", sa.BigInteger(), nullable=True),
        sa.Column("failing_until_ms", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_endpoints")),
    )
    op.add_column("deliveries", sa.Column("slot_ms", sa.BigInteger(), nullable=True))
    op.add_column("deliveries", sa.Column("receipt", sa.JSON(), nullable=True))
    op.add_column("deliveries", sa.Column("since_ms", sa.BigInteger(), nullable=True))
    op.add_column("tokens", sa.Column("previous_hash", sa.String(length=64), nullable=True))
    op.add_column("tokens", sa.Column("previous_until_ms", sa.BigInteger(), nullable=True))
    op.add_column("tokens", sa.Column("previous_used_ms", sa.BigInteger(), nullable=True))
    op.add_column("tokens", sa.Column("rotated_ms", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_tokens_previous_hash"), "tokens", ["previous_hash"], unique=False)
    op.add_column("audit", sa.Column("request", sa.String(length=64), nullable=True))
    op.create_index(op.f("ix_audit_caller_id"), "audit", ["caller", "id"], unique=False)
    op.create_index(op.f("ix_audit_object_id"), "audit", ["object", "id"], unique=False)
    op.create_index(
        op.f("ix_runs_state_source_rule_ended_ms"),
        "runs",
        ["state", "source", "rule", "ended_ms"],
        unique=False,
    )
    op.drop_index(op.f("ix_runs_state_source"), table_name="runs")


def downgrade() -> None:
    """Forget them: tokens in rotation keep their newest secret."""
    op.create_index(op.f("ix_runs_state_source"), "runs", ["state", "source"], unique=False)
    op.drop_index(op.f("ix_runs_state_source_rule_ended_ms"), table_name="runs")
    op.drop_index(op.f("ix_audit_object_id"), table_name="audit")
    op.drop_index(op.f("ix_audit_caller_id"), table_name="audit")
    with op.batch_alter_table("audit") as audit:
        audit.drop_column("request")
    op.drop_index(op.f("ix_tokens_previous_hash"), table_name="tokens")
    with op.batch_alter_table("tokens") as tokens:
        tokens.drop_column("rotated_ms")
        tokens.drop_column("previous_used_ms")
        tokens.drop_column("previous_until_ms")
        tokens.drop_column("previous_hash")
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.drop_column("since_ms")
        deliveries.drop_column("receipt")
        deliveries.drop_column("slot_ms")
    op.drop_table("endpoints")
