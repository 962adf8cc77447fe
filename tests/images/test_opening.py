import os
import re
from pathlib import Path

import pytest
from dirty_files import BOMB, bombs, chunk, encode, png
from image_files import gray, rgb, save
from PIL import Image

from mixqual.images import SUFFIXES_OF, Unreadable, examine, many_files, read_header


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


@pytest.mark.parametrize("side", [10_000, 50_000])
def test_an_image_of_too_many_pixels_is_refused_with_a_remedy(tmp_path: Path, side: int) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(png(side, side, 8, 0, b""))
    with many_files(), pytest.raises(Unreadable, match=r"pixels.*exceed.* half its sides$"):
        read_header(path)


def test_the_suffixes_are_all_that_pillow_has_for_the_formats() -> None:
    Image.init()
    registered: dict[str, set[str]] = {}
    for suffix, name in Image.registered_extensions().items():
        registered.setdefault(name, set()).add(suffix)
    registered["PPM"].remove(".pfm")  # of floating-point numbers
    registered["BMP"] |= registered.pop("DIB", {".dib"})
    for name, suffixes in SUFFIXES_OF.items():
        assert set(suffixes) >= registered.get(name, set()), name
    assert set().union(*SUFFIXES_OF.values()) == set().union(
        *(registered.get(name, set()) for name in SUFFIXES_OF)
    )


def _chunks(*, broken: bytes = b"") -> bytes:
    """A PNG file with a chunk of a resolution, of which one kind may have a wrong checksum."""
    good = png(9, 9, 8, 0, bytes(90), chunk(b"pHYs", bytes(9)))
    if not broken:
        return good
    at = good.index(broken)
    end = at + 4 + int.from_bytes(good[at - 4 : at], "big")
    return good[:end] + bytes(4) + good[end + 4 :]


REFUSED = {
    "a.avif": (lambda: encode(rgb(), "AVIF"), "^not .* known format, but an AVIF file; save it as"),
    "a.jp2": (
        lambda: encode(rgb(), "JPEG2000"),
        "known format, but a JPEG 2000 file; save it as PNG",
    ),
    "a.ico": (lambda: encode(rgb(), "ICO"), "known format, but an icon file; save it"),
    "a.eps": (lambda: encode(rgb(), "EPS"), "format, but a PostScript file; save it"),
    "a.pdf": (lambda: encode(rgb(), "PDF"), "known format, but a PDF file; save it"),
    "a.heic": (lambda: b"\0\0\0\x18ftypheic" + bytes(99), "format, but a HEIF file; save it"),
    "phys.png": (lambda: _chunks(broken=b"pHYs"), "^a damaged PNG file, .*checksum in b'pHYs'"),
    "ihdr.png": (lambda: _chunks(broken=b"IHDR"), "^a damaged PNG file, .*checksum in b'IHDR'"),
    "cut.jpg": (lambda: encode(rgb(), "JPEG")[:100], "^damaged .Truncated File Read"),
    "cut.gif": (lambda: encode(rgb(), "GIF")[:9], "^a damaged GIF file"),
    "cut.webp": (lambda: encode(rgb(), "WEBP")[:19], "^damaged "),
    "cut.tif": (lambda: encode(rgb(), "TIFF")[:60], "^a damaged TIFF file"),
    "page.jpg": (lambda: b"<!DOCTYPE html><title>404</title>", "known format, but a page of HTML$"),
    "._a.jpg": (
        lambda: b"\0\5\x16\7\0\2\0\0Mac OS X",
        "format, but what macOS keeps beside a file$",
    ),
    "lfs.png": (
        lambda: b"version https://git-lfs.github.com/spec/v1\n",
        "but a pointer of Git LFS$",
    ),
    "words.png": (lambda: b"words", "^not an image in a known format$"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_named(tmp_path: Path, name: str) -> None:
    make, reason = REFUSED[name]
    path = tmp_path / name
    path.write_bytes(make())
    for read in (read_header, examine):
        with many_files(), pytest.raises(Unreadable, match=reason):
            read(path)


def test_a_png_with_sound_chunks_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(_chunks())
    assert examine(tmp_path / "x.png")[0].size == (9, 9)


def test_a_file_of_too_many_bytes_is_not_read(tmp_path: Path) -> None:
    path = save(gray(), tmp_path / "x.png")
    os.truncate(path, 2**31)  # a hole, which takes no space
    for read in (read_header, examine):
        with pytest.raises(Unreadable, match="2147483648 bytes exceed the limit of 1073741824"):
            read(path)
