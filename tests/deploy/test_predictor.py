"""Predicting with a bundle, from Python and from the command."""

import contextlib
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from ended import Command
from finished_runs import Run
from onnx import TensorProto
from PIL import Image
from small_elpv import cell
from test_bundle import MANIFEST
from test_onnx_file import FACTS
from test_onnx_runner import mean_graph

import mixqual
from mixqual.deploy import Manifest, Predictor
from mixqual.deploy.onnx_file import write_onnx_file
from mixqual.errors import DataError


@pytest.fixture(scope="module")
def bundle(plain_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """M_mix, whatever the run recommends."""
    path = tmp_path_factory.mktemp("bundle") / "tiny"
    return mixqual.export(plain_run.out, path, model="mix").path


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> Predictor:
    return mixqual.load(bundle)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number in range(5):
        Image.fromarray(cell(number % 4, number, 60)).save(folder / f"{number}.png")
    return folder


def test_one_and_several_in_any_batches(predictor: Predictor, photographs: Path) -> None:
    paths = sorted(photographs.iterdir())
    together = predictor.predict(paths)
    assert len(together) == 5
    (alone,) = predictor.predict(paths[3])
    in_twos = list(predictor.stream(paths, batch_size=2))
    for found, expected in ((alone, together[3]), *zip(in_twos, together, strict=True)):
        assert not isinstance(found, DataError)
        assert found.class_name == expected.class_name
        np.testing.assert_allclose(
            list(found.probabilities.values()), list(expected.probabilities.values()), atol=1e-5
        )
    for found in together:
        assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert sum(found.weights.values()) == pytest.approx(1, abs=1e-5)
        assert found.confidence == found.probabilities[found.class_name]
        assert found.confidence == max(found.probabilities.values())


def test_a_batch_is_as_many_images(predictor: Predictor) -> None:
    """As an array of channels last and as a tensor of channels first; even if it is of one."""
    cells_BHW3 = np.stack([cell(label, 3, 60)[..., None].repeat(3, -1) for label in range(3)])
    expected = predictor.predict(list(cells_BHW3))
    for count in (1, 3):
        batch_BCHW = torch.from_numpy(cells_BHW3[:count]).permute(0, 3, 1, 2)
        for batch in (cells_BHW3[:count], batch_BCHW):
            found = predictor.predict(batch)
            assert [each.class_name for each in found] == [
                each.class_name for each in expected[:count]
            ]
            assert found[0].confidence == pytest.approx(expected[0].confidence, abs=1e-5)
            (refused,) = predictor.stream([batch])
            assert "is that of a batch of images" in str(refused)


def test_a_bad_image_keeps_its_place(predictor: Predictor, photographs: Path) -> None:
    (photographs / "2.png").write_bytes(b"broken")
    found = list(predictor.stream(sorted(photographs.iterdir()), batch_size=3))
    assert [isinstance(result, DataError) for result in found] == [False, False, True, False, False]
    with pytest.raises(DataError, match=r"2\.png: not an image in a known format"):
        predictor.predict(sorted(photographs.iterdir()))


class TestCommand:
    def test_json_lines(self, command: Command, bundle: Path, photographs: Path) -> None:
        (photographs / "1.png").write_bytes(b"")
        ended = command("predict", bundle, photographs / "*.png", "--json")
        assert ended.code == 1
        lines = [json.loads(line) for line in ended.out.splitlines()]
        assert [Path(line["image"]).name for line in lines] == [f"{n}.png" for n in range(5)]
        assert lines[1] == {"image": str(photographs / "1.png"), "error": "the file is empty"}
        (expected,) = mixqual.load(bundle).predict(photographs / "0.png")
        assert lines[0]["class_name"] == expected.class_name
        assert lines[0]["distortion"]["name"] == expected.distortion.name

    def test_modes(self, command: Command, bundle: Path, photographs: Path) -> None:
        ended = command("predict", bundle, photographs / "0.png", "--expert", "noise", "--json")
        (line,) = map(json.loads, ended.out.splitlines())
        (expected,) = mixqual.load(bundle, expert="noise").predict(photographs / "0.png")
        assert line["experts_run"] == ["noise"]
        assert line["confidence"] == expected.confidence
        ended = command("predict", bundle, photographs / "0.png", "--mode", "conditional")
        assert ended.code == 0
        ended = command("predict", bundle, photographs / "0.png", "--tau", "1")
        assert "; ran " in ended.out
        ended = command("predict", bundle, photographs / "0.png", "--tau", "2")
        assert "tau = 2: a threshold of weights lies in 0...1" in ended.refusal()

    def test_names_from_standard_input(
        self, command: Command, bundle: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = photographs.parent / "names"
        names.write_text(f"{photographs / '4.png'}\n\n{photographs / '0.png'}\n")
        with names.open() as lines:
            monkeypatch.setattr("sys.stdin", lines)
            ended = command("predict", bundle, "-")
        assert ended.code == 0
        assert [line.split(":")[0] for line in ended.out.splitlines()] == [
            str(photographs / "4.png"),
            str(photographs / "0.png"),
        ]

    def test_a_list_of_another_system(
        self, command: Command, bundle: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With a byte order mark, CRLF, and a name that is not UTF-8."""
        odd = os.fsencode(photographs) + b"/\xff.png"
        shutil.copy(photographs / "1.png", odd)
        names = photographs.parent / "names"
        first = os.fsencode(photographs / "0.png")
        names.write_bytes(b"\xef\xbb\xbf" + first + b"\r\n\r\n" + odd + b"\r\n")
        with names.open(encoding="utf-8") as lines:
            monkeypatch.setattr("sys.stdin", lines)
            ended = command("predict", bundle, "-")
        assert ended.code == 0, ended.err
        shown = [line.split(": ")[0] for line in ended.out.splitlines()]
        assert shown == [str(photographs / "0.png"), f"{photographs}/\\udcff.png"]

    def test_a_folder_at_any_depth(self, command: Command, bundle: Path, photographs: Path) -> None:
        """All its images, hidden ones left out, and nothing that is named otherwise."""
        (photographs / "more").mkdir()
        shutil.copy(photographs / "1.png", photographs / "more" / "6.PNG")
        for name in (".hidden.png", "._0.png", "notes.txt", ".folder/7.png"):
            (photographs / name).parent.mkdir(exist_ok=True)
            (photographs / name).write_bytes(b"no image")
        ended = command("predict", bundle, photographs, "--json")
        assert (ended.code, ended.err) == (0, "")
        named = [json.loads(line)["image"] for line in ended.out.splitlines()]
        expected = [*(f"{n}.png" for n in range(5)), "more/6.PNG"]
        assert named == [str(photographs / name) for name in expected]
        (photographs.parent / "empty").mkdir()
        message = command("predict", bundle, photographs.parent / "empty").refusal()
        assert "empty: the folder holds no image (.png " in message

    def test_names_do_not_command_the_terminal(
        self, command: Command, bundle: Path, photographs: Path
    ) -> None:
        for name in ("\x1b[2Jclear.png", "a\tb\nc.png"):
            shutil.copy(photographs / "1.png", photographs / name)
        (photographs / "\x1b]0;bad.png").write_bytes(b"no image")
        ended = command("predict", bundle, photographs)
        assert ended.code == 1
        assert len(ended.out.splitlines()) == 7
        assert all(line.isprintable() for line in (ended.out + ended.err).splitlines())
        assert r"a\tb\nc.png: " in ended.out
        assert r"\x1b]0;bad.png: " in ended.err

    def test_a_pattern_without_files(self, command: Command, bundle: Path) -> None:
        ended = command("predict", bundle, "nowhere/*.png")
        assert (ended.code, ended.out) == (2, "")
        assert "no image: nowhere/*.png names no file" in ended.err

    def test_what_is_no_bundle(self, command: Command, photographs: Path) -> None:
        ended = command("predict", photographs / "0.png", photographs / "1.png")
        assert ended.code == 2
        assert "0.png is no whole bundle" in ended.err

    def test_export(self, command: Command, plain_run: Run, tmp_path: Path, bundle: Path) -> None:
        ended = command("export", plain_run.out, tmp_path / "new" / "tiny", "--model", "mix")
        assert ended.code == 0
        assert "mix of tiny" in ended.out
        assert (tmp_path / "new" / "tiny").read_bytes() == bundle.read_bytes()


def test_an_interrupt_at_a_terminal_is_answered(tmp_path: Path) -> None:
    """A process of its own, whose terminal makes an interrupt of the key."""
    graph = onnx.load_from_string(mean_graph(TensorProto.UINT8))
    for side in graph.graph.input[0].type.tensor_type.shape.dim[2:]:
        side.dim_value = MANIFEST["size"]
    manifest = Manifest.model_validate(MANIFEST)
    write_onnx_file(tmp_path / "b.onnx", graph.SerializeToString(), manifest, FACTS)
    master, slave = pty.openpty()
    # The first terminal that a new session opens is its own.
    line = ("sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1', os.ttyname(slave), sys.executable)
    process = subprocess.Popen(
        [*line, "-m", "mixqual", "predict", tmp_path / "b.onnx", "-"],
        start_new_session=True,
        # What runs the tests may be a shell's background job, which ignores interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        os.write(master, b"gone.png\n" * 32)  # a batch, whose answers say that it has begun
        shown = read_until(master, "the file is missing")
        os.close(slave)  # open until the command has it: a terminal that nobody has ends
        shown += interrupted_until_it_ends(master)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert "stopped; run the same command again" in shown
    assert "Traceback" not in shown


def interrupted_until_it_ends(terminal: int) -> str:
    """What a terminal shows while the key is pressed again and again, as a person would."""
    shown = b""
    for _ in range(30):
        with contextlib.suppress(OSError):
            os.write(terminal, b"\x03")
        while select.select([terminal], [], [], 4)[0]:
            try:
                shown += os.read(terminal, 4096)
            except OSError:  # nobody writes to it any more
                return shown.decode()
    raise AssertionError(shown)


def read_until(terminal: int, text: str) -> str:
    """What a terminal shows up to a text, or to its end, within some minutes."""
    shown, end = b"", time.monotonic() + 240
    while text.encode() not in shown:
        ready, _, _ = select.select([terminal], [], [], max(end - time.monotonic(), 0))
        assert ready, shown
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # nobody writes to it any more
            break
    return shown.decode()
