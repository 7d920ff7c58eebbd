"""look-up keys: each hash of a code tells the key that made it"""

import sqlalchemy as sa
from alembic import op

revision = "5f0c7d3b9a41"
down_revision = "260706e17be3"
branch_labels = None
depends_on = None

_TABLES = ("licence_holder", "absorbed_certificate")


def upgrade() -> None:
    for table in _TABLES:
        with op.batch_alter_table(table) as batch_op:
            batch_op.add_column(sa.Column("hash_key", sa.Integer(), server_default="1", nullable=False))


def downgrade() -> None:
    for table in _TABLES:
        with op.batch_alter_table(table) as batch_op:
            batch_op.drop_column("hash_key")
