"""the batches that were returned, for /metrics; when a delivery failed, for clocks that jump"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("update deliveries set failed_at = clock_timestamp() where state = 'failed'")
    op.create_index(
        "batches_returned",
        "batches",
        ["id"],
        unique=False,
        postgresql_where=sa.text("ended = 'returned'"),
    )


def downgrade() -> None:
    op.drop_index("batches_returned", table_name="batches")
    op.drop_column("deliveries", "failed_at")
