"""consents name a matter and can be withdrawn"""

import sqlalchemy as sa
from alembic import op

from signing_service.kernel import database

revision = "f5cb94bfd3b7"
down_revision = "4d9762f16ec1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("holder_consent", schema=None) as batch_op:
        batch_op.add_column(sa.Column("matter", sa.String(length=64), server_default="*", nullable=False))
        batch_op.add_column(sa.Column("withdrawn_at", database.UtcDateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("holder_consent", schema=None) as batch_op:
        batch_op.drop_column("withdrawn_at")
        batch_op.drop_column("matter")
