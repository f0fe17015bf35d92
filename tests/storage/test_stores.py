"""Settings open stores, or say what is wrong with them."""

from dataclasses import replace
from pathlib import Path

import pytest

from storage.errors import InvalidError
from storage.location import database_file_of, folder_of
from storage.settings import StorageSettings
from storage.stores import open_stores
from tests.storage.implementations import settings


def test_all_three_open_below_one_folder_and_close(tmp_path: Path) -> None:
    with open_stores(settings(tmp_path)) as stores:
        stores.objects.put("a", b"1")
        assert stores.index.counts()["series"] == 0
        assert stores.archive.compact("s") == 0
    with pytest.raises(InvalidError, match="closed"):
        stores.index.counts()


@pytest.mark.parametrize("field", ["archive", "index", "objects"])
@pytest.mark.parametrize("url", ["ftp://user:secret@host/x", "/plain/path", "", "sqlite://", "x:"])
def test_unknown_schemes_name_the_store_and_never_the_url(
    tmp_path: Path, field: str, url: str
) -> None:
    changed: StorageSettings = replace(settings(tmp_path), **{field: url})  # type: ignore[arg-type]
    with pytest.raises(InvalidError, match=field) as caught, open_stores(changed):
        pass
    assert "secret" not in str(caught.value)
    assert "known here is" in str(caught.value)


def test_a_relative_file_url_is_refused() -> None:
    with pytest.raises(InvalidError, match="three slashes"):
        folder_of("archive", "file://data/archive")


def test_what_urls_name() -> None:
    assert folder_of("archive", "file:///data/my%20archive") == Path("/data/my archive")
    assert folder_of("archive", "file://localhost/data") == Path("/data")
    assert database_file_of("index", "sqlite:////data/index.db") == Path("/data/index.db")
    assert database_file_of("index", "sqlite:///index.db") == Path("index.db")
