import pytest

from mixqual.bench import artifacts


def test_what_is_proven_and_what_it_is_against(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_PART_MIB", 1), ("_PARTS", 2), ("_IMAGES", 40), ("_CELLS", 2)):
        monkeypatch.setattr(artifacts, name, value)
    rows = artifacts.measure()
    assert [row.against for row in rows] == [
        "floor: reading it",
        "the same without a sync",
        "floor: reading their numbers",
    ]
    assert all(0 < row.low <= row.ratio <= row.high for row in rows)
