"""The first schema: tables, the SQL contract's triggers, functions and view."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    # The driver's own connection: SQLAlchemy would read ':' and '%' of the text as parameters.
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    for name in ("0001_tables.sql", "0001_contract.sql"):
        driver.execute((SQL / name).read_bytes())


def downgrade() -> None:
    raise NotImplementedError("there is nothing below the first revision: drop the schema `reconciler` instead")
