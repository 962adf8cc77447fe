"""That a benchmark's folder leaves nothing behind, neither files nor settings."""

import os

import pytest

from mixqual.bench.scratch import scratch_folder
from mixqual.data.file_facts import cache_folder


@pytest.mark.parametrize("before", ["/somewhere/else", None])
def test_files_are_remembered_there_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    if before is None:
        monkeypatch.delenv("MIXQUAL_CACHE", raising=False)
    else:
        monkeypatch.setenv("MIXQUAL_CACHE", before)
    with scratch_folder() as folder:
        assert folder.is_dir()
        assert cache_folder().parent == folder
        (folder / "left.txt").write_text("x")
    assert not folder.exists()
    assert os.environ.get("MIXQUAL_CACHE") == before
