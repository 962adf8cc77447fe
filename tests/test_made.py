import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixqual.errors import RunError
from mixqual.made import read_signed, write_signed

TABLE: dict[str, Any] = {
    "auc": {"mix": 0.625},
    "levels": [0, 0.1, 1e-7],
    "name": "größer",
    "x": None,
}


def test_what_is_signed_is_read_without_its_signature(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_signed(path, TABLE)
    assert read_signed(path) == TABLE
    assert json.loads(path.read_text()).keys() == {*TABLE, "signed", "checksum"}
    write_signed(tmp_path / "again.json", {1: "by a number", "levels": (1, 2)})
    assert read_signed(tmp_path / "again.json") == {"1": "by a number", "levels": [1, 2]}


@settings(deadline=None, max_examples=200)
@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "results.json"
    write_signed(path, TABLE)
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << bit
    path.write_bytes(content)
    try:
        found = read_signed(path)
    except RunError:
        return
    assert found == TABLE  # a space that became another


def test_tables_of_before_there_were_signatures_are_read(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(json.dumps(TABLE))
    assert read_signed(tmp_path / "old.json") == TABLE


def test_what_was_changed_by_hand_is_told_how_to_be_used(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_signed(path, TABLE)
    path.write_text(path.read_text().replace("0.625", "0.925"))
    with pytest.raises(
        RunError, match=r"is not what was written .* take 'signed' and 'checksum' out of it"
    ):
        read_signed(path)
