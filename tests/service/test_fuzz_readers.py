"""Readers fuzzed in process: what must come of it, what was found before, and the watch over it."""

import os
import signal
from pathlib import Path
from random import Random
from typing import Any

import fuzz_readers
import pytest
from fuzz_targets import Refused, Target, targets


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    return targets(tmp_path_factory.mktemp("fuzz"))


def test_every_reader_takes_what_is_sound_and_nothing_worse(known: dict[str, Target]) -> None:
    """Also that there is no change without a difference, and that inputs can be had again."""
    for name, target in known.items():
        before = [target.read(content) for content in target.corpus]
        refused = 0
        for number in range(60):
            place, content = fuzz_readers.input_of(name, target, 3, number)
            assert content != target.corpus[place]
            assert fuzz_readers.input_of(name, target, 3, number) == (place, content)
            try:
                answer = target.read(content)
            except Refused:
                refused += 1
            else:
                assert answer == before[place] or not target.sealed
        assert refused > 5, name


def test_what_a_fuzzed_file_says_is_one_short_line(known: dict[str, Target]) -> None:
    """What the first runs found: line breaks and thousands of characters of the file in it."""
    (manifest,) = known["bundle-manifest"].corpus
    wide = "x" * 5000
    for content in (
        manifest.replace(b'"size"', b'"a\\nb": 1, "size"'),
        manifest.replace(b'"size"', f'"{wide}": 1, "size"'.encode()),
        manifest.replace(b'"clean": "clean"', b'"clean": "a\\nb"'),
    ):
        assert content != manifest
        for name in ("bundle-manifest", "onnx-manifest"):
            with pytest.raises(Refused):
                known[name].read(content)
    (bundle,) = known["bundle"].corpus
    name = bundle.rindex(b"weights.safetensors")  # in the directory at the end
    with pytest.raises(Refused):
        known["bundle"].read(bundle[:name] + b"\n" + bundle[name + 1 :])
    for head in (b'{"format": Infinity, "parts": {}}', b'{"format": 1e999, "parts": {}}'):
        for name in ("bundle-checksums", "onnx-checksums"):
            with pytest.raises(Refused):
                known[name].read(head)


def test_a_name_that_is_no_text_is_refused(known: dict[str, Target]) -> None:
    """A member whose name claims to be UTF-8 and is not; found by reading `zipfile`."""
    (bundle,) = known["bundle"].corpus
    entry = bundle.rindex(b"PK\1\2")
    changed = bytearray(bundle)
    changed[entry + 9] |= 8  # names are UTF-8
    changed[entry + 46] = 0xFF
    with pytest.raises(Refused):
        known["bundle"].read(bytes(changed))


def hanging(content: bytes) -> object:
    """A reader with every fault, by the first byte of what it is given."""
    match content[:1]:
        case b"h":
            while True:
                pass
        case b"d":
            os.kill(os.getpid(), signal.SIGKILL)
        case b"m":
            _ = bytes(b"x" * 2**28)
        case b"e":
            raise ValueError("a fault")
        case b"r":
            raise Refused
    return content


def one_each(_: Path) -> dict[str, Target]:
    return {"bad": Target([b"sound"], (), hanging)}


FAULTS = (b"x", b"e", b"r", b"e", b"m", b"d", b"x", b"h")


def faults(_: str, __: Target, ___: int, number: int) -> tuple[int, bytes]:
    return 0, FAULTS[number]


def work_with_faults(*arguments: Any) -> None:
    """What a process of its own does, with the reader above."""
    fuzz_readers.targets, fuzz_readers.input_of = one_each, faults
    fuzz_readers.SETTLED = 1
    work(*arguments)


work = fuzz_readers.work


def test_every_fault_is_found_and_one_of_a_kind_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("targets", one_each),
        ("input_of", faults),
        ("work", work_with_faults),
        ("HANGS_S", 3.0),
    ):
        monkeypatch.setattr(fuzz_readers, name, value)
    counts, slowest = fuzz_readers.watch(fuzz_readers.Part("bad", 0, 0, 8, tmp_path))
    assert counts == {"refused": 1, "read as before": 0, "read otherwise": 2, "findings": 5}
    findings = tmp_path / "findings"
    kept = {path.stem: path.read_bytes() for path in findings.glob("*.bin")}
    assert kept == {f"bad.0.{number}": FAULTS[number] for number in (1, 4, 5, 7)}
    for number, said in ((4, "bytes more than"), (5, "ended with -9"), (7, "no end after")):
        assert said in (findings / f"bad.0.{number}.txt").read_text()
    assert slowest < 3


def test_changes_reach_every_byte() -> None:
    target, content = Target([b"\0" * 40], (), bytes), b"\0" * 40
    random = Random(0)
    found = [fuzz_readers.changed(content, target, random) for _ in range(2000)]
    for place in range(40):
        assert any(len(each) == 40 and each[place] for each in found)
    assert {len(each) < 40 for each in found} == {len(each) > 40 for each in found} == {False, True}


def test_the_corpus_is_written_and_findings_can_be_read_again(
    tmp_path: Path, known: dict[str, Target], capsys: pytest.CaptureFixture[str]
) -> None:
    fuzz_readers.write_corpus(tmp_path, known)
    png = tmp_path / "png" / "0"
    assert png.read_bytes() == known["png"].corpus[0]
    for content, said in ((png.read_bytes(), "it answers"), (b"x", "it refuses")):
        finding = tmp_path / "png.0.5.bin"
        finding.write_bytes(content)
        fuzz_readers.replay(finding, known)
        assert capsys.readouterr().out.strip() == said
