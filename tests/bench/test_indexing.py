"""On so few files that its ratios mean nothing: that it runs, and leaves nothing behind."""

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
