"""Kept passes."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql" / "0002_passes.sql"


def upgrade() -> None:
    # The driver's own connection: SQLAlchemy would read ':' and '%' of the text as parameters.
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(SQL.read_bytes())


def downgrade() -> None:
    op.execute("DROP TABLE reconciler.passes")
