"""stored documents and when their timestamps end"""

import sqlalchemy as sa
from alembic import op

from signing_service.kernel import database

revision = "7c1d0b5e93fa"
down_revision = "46c4c5f508da"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stored_document",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("newest", sa.String(length=64), nullable=False),
        sa.Column("ends_at", database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("cause", sa.String(length=32), nullable=False),
        sa.Column("seen_at", database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("tried_at", database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_stored_document")),
    )
    with op.batch_alter_table("stored_document", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stored_document_ends_at"), ["ends_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_stored_document_newest"), ["newest"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("stored_document", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_stored_document_newest"))
        batch_op.drop_index(batch_op.f("ix_stored_document_ends_at"))

    op.drop_table("stored_document")
