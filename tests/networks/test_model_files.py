"""Model files against the module that they were exported from."""

import sys
from pathlib import Path

import pytest
import torch
from exported_models import (
    CLASSES,
    SIDE,
    SmallNetwork,
    export_all,
    trace_one_by_one,
    write_channel_means,
)
from onnx import TensorProto
from torch import Tensor

from mixqual.errors import BackboneError
from mixqual.networks.model_files import is_model_file, read_model_file, with_batch

CPU = torch.device("cpu")
KINDS = ["traced", "scripted", "frozen", "exported", "exported four", "onnx", "onnx four"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    torch.set_num_threads(1)
    return export_all(tmp_path_factory.mktemp("files"))


def images(count: int, side: int = SIDE) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return 255 * torch.rand(count, 3, side, side, generator=generator)


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_and_batch_returns_what_the_module_does(
    files: dict[str, Path], kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = read_model_file(files[kind], CPU)
    network = SmallNetwork().eval()
    with torch.inference_mode():
        for count in (1, 2, 4, 7):
            images_BCHW = (images(count) / 255 - 0.5).to(memory_format=torch.channels_last)
            scores_BK = file(images_BCHW)
            assert scores_BK.shape == (count, CLASSES)
            torch.testing.assert_close(scores_BK, network(images_BCHW), rtol=0, atol=1e-5)
    assert "warn" not in capfd.readouterr().err.lower()


@pytest.mark.parametrize(
    ("kind", "form", "words", "size"),
    [
        ("traced", "TorchScript", "float32 (any, 3, any, any)", None),
        ("exported", "torch.export", "float32 (any, 3, 24, 24)", SIDE),
        ("exported four", "torch.export", "float32 (4, 3, 24, 24)", SIDE),
        ("onnx", "ONNX", "float32 (any, 3, 24, 24)", SIDE),
        ("onnx four", "ONNX", "float32 (4, 3, 24, 24)", SIDE),
    ],
)
def test_what_a_file_says_of_its_input_is_read(
    files: dict[str, Path], kind: str, form: str, words: str, size: int | None
) -> None:
    file = read_model_file(files[kind], CPU)
    assert (file.format, file.in_words(), file.size) == (form, words, size)


def test_channels_may_come_last(tmp_path: Path) -> None:
    path = write_channel_means(tmp_path / "means.onnx", ["n", 8, 8, 3], channels_last=True)
    file = read_model_file(path, CPU)
    assert (file.size, file.channels_last) == (8, True)
    torch.testing.assert_close(file(images(3, 8)), images(3, 8).mean((2, 3)))


@pytest.mark.parametrize("shape", [["n", 3, "h", "w"], [None, None, None, None], None])
def test_sizes_that_may_vary_take_any_image(
    tmp_path: Path, shape: list[int | str | None] | None
) -> None:
    file = read_model_file(write_channel_means(tmp_path / "means.onnx", shape), CPU)
    assert file.size is None
    torch.testing.assert_close(file(images(3, 9)), images(3, 9).mean((2, 3)))


def test_whole_grey_levels_are_given_to_programs_that_take_bytes(tmp_path: Path) -> None:
    path = write_channel_means(tmp_path / "means.onnx", [2, 3, 8, 8], TensorProto.UINT8)
    file = read_model_file(path, CPU)
    assert file.in_words() == "uint8 (2, 3, 8, 8)"
    wide_BCHW = 1.5 * images(5, 8) - 60  # as noise without a limit leaves them
    expected_BK = wide_BCHW.round().clamp(0, 255).mean((2, 3))
    torch.testing.assert_close(file(wide_BCHW), expected_BK)


def test_half_precision_programs_get_half_precision(tmp_path: Path) -> None:
    path = write_channel_means(tmp_path / "means.onnx", ["n", 3, 8, 8], TensorProto.FLOAT16)
    file = read_model_file(path, CPU)
    torch.testing.assert_close(
        file(images(3, 8)), images(3, 8).half().float().mean((2, 3)), rtol=0, atol=0.01
    )


def test_a_traced_program_for_one_image_gets_one_at_a_time(tmp_path: Path) -> None:
    trace_one_by_one(tmp_path / "one.pt")
    file = read_model_file(tmp_path / "one.pt", CPU)
    settled = with_batch(file, 8, CPU)
    assert settled.in_words() == "float32 (1, 3, any, any)"
    torch.testing.assert_close(settled(images(3, 8)), images(3, 8).mean((2, 3)))


def test_a_batch_that_is_free_stays_so(files: dict[str, Path]) -> None:
    assert with_batch(read_model_file(files["traced"], CPU), SIDE, CPU).batch is None


def test_files_are_known_by_their_ending() -> None:
    assert all(map(is_model_file, ("a.onnx", "b/c.PT2", "d.pt", "e.ts", "f.jit")))
    assert not any(map(is_model_file, ("resnet50.a1_in1k", "own:predict", "w.safetensors", "pt")))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shape": ["n", 3, 8, 9]}, r"shape \(any, 3, 8, 9\), but mixqual's are square"),
        ({"shape": ["n", 1, 8, 8]}, "takes images of 1 channels"),
        ({"shape": ["n", 192]}, r"takes input of shape \(any, 192\), not a batch of images"),
        ({"shape": ["n", 3, 8, 8], "inputs": 2}, r"takes 2 inputs \(image0, image1\)"),
        ({"shape": ["n", 3, 8, 8], "dtype": TensorProto.INT64}, "neither floating-point nor uint8"),
    ],
)
def test_refuses_what_takes_no_images(
    tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    path = write_channel_means(tmp_path / "means.onnx", **settings)  # type: ignore[arg-type]
    with pytest.raises(BackboneError, match=message):
        read_model_file(path, CPU)


def test_refuses_scores_of_another_rank(tmp_path: Path) -> None:
    path = write_channel_means(tmp_path / "means.onnx", ["n", 3, 8, 8], rank=4)
    with pytest.raises(BackboneError, match=r"for 2 images it returned \(2, 3, 1, 1\)"):
        read_model_file(path, CPU)(images(2, 8))


@pytest.mark.parametrize("ending", ["onnx", "pt2", "pt"])
def test_refuses_damaged_files(
    files: dict[str, Path], tmp_path: Path, ending: str, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = next(path for path in files.values() if path.suffix == f".{ending}").read_bytes()
    path = tmp_path / f"damaged.{ending}"
    for content in (b"", b"no model at all", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(BackboneError, match="cannot be read as"):
            read_model_file(path, CPU)
    assert "Traceback" not in capfd.readouterr().err


def test_weights_alone_are_no_program(tmp_path: Path) -> None:
    torch.save(SmallNetwork().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(BackboneError, match="this file as --weights"):
        read_model_file(tmp_path / "weights.pt", CPU)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"gone\.onnx' is no file"):
        read_model_file(tmp_path / "gone.onnx", CPU)


def test_says_what_to_install_for_onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_channel_means(tmp_path / "means.onnx", ["n", 3, 8, 8])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BackboneError, match=r'pip install "mixqual\[onnx\]"'):
        read_model_file(path, CPU)
