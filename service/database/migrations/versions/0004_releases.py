"""Releases of a source.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only an addition: processes of the version before go on working beside it."""
    op.create_table(
        "releases",
        sa.Column("source", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("caller", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("source", "name", name=op.f("pk_releases")),
    )
    op.create_index(
        op.f("ix_releases_source_time_ms"), "releases", ["source", "time_ms"], unique=False
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_index(op.f("ix_releases_source_time_ms"), table_name="releases")
    op.drop_table("releases")
