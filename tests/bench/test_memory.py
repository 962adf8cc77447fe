"""That memory of a sweep and of an epoch is set against that for fewer images."""

import pytest

from mixqual.bench import memory


def test_it_runs_and_says_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_SETTING", memory._Setting(side=32, images=64))
    found = memory.measure()
    assert [(ratio.what, ratio.against) for ratio in found] == [
        (
            f"peak growth of private memory in {what} of 256 images",
            f"in {what} of 64 images",
        )
        for what in ("a sweep", "an epoch")
    ]
    for ratio in found:
        assert ratio.ratio > 0
        # 192 images more, held as the floats that a batch has, would be over twice as much.
        assert ratio.ratio < 2
