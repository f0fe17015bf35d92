"""What people said of anomalies, which until now only the index knew.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; `lupus-server rebuild-index` fills it with what the index has."""
    op.create_table(
        "verdicts",
        sa.Column("anomaly", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=63), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("caller", sa.String(length=200), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("anomaly", name=op.f("pk_verdicts")),
    )
    op.create_index(
        op.f("ix_verdicts_source_anomaly"), "verdicts", ["source", "anomaly"], unique=False
    )


def downgrade() -> None:
    """Remove the table: the index goes on showing what people said."""
    op.drop_table("verdicts")
