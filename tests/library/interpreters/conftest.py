"""The service of the client's tests."""

from tests.library.client.conftest import _environment, client, house, url

__all__ = ["_environment", "client", "house", "url"]
