"""The generation that deleted a tenant."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute((SQL / "0004_deletion.sql").read_bytes())


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only: restore a backup instead")
