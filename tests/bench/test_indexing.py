"""On so few files that its ratios mean nothing: that it runs, and leaves nothing behind."""

import mmap
import os

import pytest

from mixqual.bench import indexing


def test_it_runs_and_says_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "_FILES", 40)
    monkeypatch.setenv("MIXQUAL_CACHE", "/somewhere/else")
    found = indexing.measure()
    assert [ratio.against for ratio in found] == [
        "a second check of the unchanged folder",
        "the size of all its pixels",
        "the size of all its pixels",
    ]
    for ratio in found:
        assert 0 < ratio.low <= ratio.ratio <= ratio.high
        assert ratio.settings.startswith("40 JPEG files of 64 pixels in 10 classes")
    assert os.environ["MIXQUAL_CACHE"] == "/somewhere/else"


def test_growth_of_memory_is_measured() -> None:
    mib = 2**20
    found, seconds, growth = indexing._watched(lambda: len(b"x" * (64 * mib)))
    assert found == 64 * mib
    assert seconds > 0
    assert growth < 80 * mib

    def fill_new_pages() -> mmap.mmap:
        # Never memory that the allocator has kept.
        pages = mmap.mmap(-1, 64 * mib, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        pages.write(b"x" * (64 * mib))
        return pages

    kept, _, growth = indexing._watched(fill_new_pages)
    assert len(kept) == 64 * mib
    assert growth > 60 * mib
