"""The databases of the tests of storage, here too."""

from tests.signaling.storage.conftest import database, kind, made_once, postgres, ready_settings

__all__ = ["database", "kind", "made_once", "postgres", "ready_settings"]
