"""Answers of outside CAs, their intermediates, and what each is trusted for."""

import sqlalchemy as sa
from alembic import op

from signing_service.kernel import database

revision = "19329d1232a6"
down_revision = "1c70812d28bd"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pki_outside_answer",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("until", database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("fetched_at", database.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_pki_outside_answer")),
    )
    op.create_table(
        "pki_outside_intermediate",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_pki_outside_intermediate")),
    )
    with op.batch_alter_table("pki_outside_ca", schema=None) as batch_op:
        batch_op.add_column(sa.Column("purposes", sa.String(length=64), server_default="signers", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("pki_outside_ca", schema=None) as batch_op:
        batch_op.drop_column("purposes")

    op.drop_table("pki_outside_intermediate")
    op.drop_table("pki_outside_answer")
