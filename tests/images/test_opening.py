import os
import re
from pathlib import Path

import pytest
from dirty_files import BOMB, bombs
from image_files import gray, save

from mixqual.images import Unreadable, examine, many_files, read_header


def _peak_bytes() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.parametrize("name", bombs())
def test_bombs_are_refused_before_memory_is_taken(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(bombs()[name])
    for read in (read_header, examine):
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
        before = _peak_bytes()
        with many_files(), pytest.raises(Unreadable, match="exceed"):
            read(path)
        assert _peak_bytes() - before < BOMB * BOMB / 20


def test_a_file_of_too_many_bytes_is_not_read(tmp_path: Path) -> None:
    path = save(gray(), tmp_path / "x.png")
    os.truncate(path, 2**31)  # a hole, which takes no space
    for read in (read_header, examine):
        with pytest.raises(Unreadable, match="2147483648 bytes exceed the limit of 1073741824"):
            read(path)
