"""The migrations of both packages give exactly the tables that the rooms declare."""

from pathlib import Path

from cli import schema
from signing_service.kernel.database import Database


def test_migrated_database_has_the_declared_tables(database_url: str) -> None:
    database = Database(database_url)
    schema.upgrade(database)
    assert schema.differences(database) == []
    database.close()


def test_upgrade_can_be_run_again(database_url: str) -> None:
    database = Database(database_url)
    schema.upgrade(database)
    schema.upgrade(database)
    assert schema.differences(database) == []
    database.close()


def test_a_table_without_a_migration_is_noticed(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/empty.db")
    assert any("audit_entry" in str(change) for change in schema.differences(database))
    database.close()
