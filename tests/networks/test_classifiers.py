"""Any classifier by its name, and what cannot be one."""

from pathlib import Path

import numpy as np
import pytest
import torch
from exported_models import trace_one_by_one, write_channel_means
from onnx import TensorProto

from mixqual.errors import BackboneError, DataError
from mixqual.networks.classifiers import (
    LoadedClassifier,
    count_outputs,
    load_classifier,
    output_of_each,
)

CPU = torch.device("cpu")
IMAGES_BCHW = 255 * torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


@pytest.fixture
def means(tmp_path: Path) -> str:
    """A file that returns the means of what it is given, for images of eight pixels."""
    return str(write_channel_means(tmp_path / "means.onnx", ["n", 3, 8, 8]))


@pytest.mark.parametrize(
    ("preprocessing", "mean", "std"),
    [(None, *IMAGENET), ("imagenet", *IMAGENET), ("0.5,0.5", [0.5] * 3, [0.5] * 3)],
)
def test_a_file_gets_its_images_as_the_user_says(
    means: str, preprocessing: str | None, mean: list[float], std: list[float]
) -> None:
    loaded = load_classifier(means, preprocessing=preprocessing, device=CPU)
    expected_BK = (IMAGES_BCHW.mean((2, 3)) / 255 - torch.tensor(mean)) / torch.tensor(std)
    torch.testing.assert_close(loaded.classify(IMAGES_BCHW), expected_BK)
    assert loaded.size == 8
    assert loaded.facts["format"] == "ONNX"
    assert loaded.facts["preprocessing"].startswith(preprocessing or "imagenet")
    assert len(loaded.facts["sha256"]) == 64


def test_a_fixed_size_is_taken_over_and_no_other_allowed(means: str, tmp_path: Path) -> None:
    assert load_classifier(means, size=8, device=CPU).size == 8
    with pytest.raises(BackboneError, match="takes images of 8 pixels only, not 224"):
        load_classifier(means, size=224, device=CPU)
    free = str(write_channel_means(tmp_path / "free.onnx", ["n", 3, "h", "w"]))
    assert load_classifier(free, device=CPU).size == 224
    assert load_classifier(free, size=32, device=CPU).size == 32


def test_bytes_are_raw(tmp_path: Path) -> None:
    path = str(write_channel_means(tmp_path / "bytes.onnx", ["n", 3, 8, 8], TensorProto.UINT8))
    loaded = load_classifier(path, device=CPU)
    assert loaded.facts["preprocessing"].startswith("raw")
    torch.testing.assert_close(loaded.classify(IMAGES_BCHW), IMAGES_BCHW.round().mean((2, 3)))
    with pytest.raises(BackboneError, match="can only be 'raw', not 'unit'"):
        load_classifier(path, preprocessing="unit", device=CPU)


def test_torchscript_for_one_image_works_in_any_batch(tmp_path: Path) -> None:
    trace_one_by_one(tmp_path / "one.pt")
    loaded = load_classifier(str(tmp_path / "one.pt"), size=8, preprocessing="raw", device=CPU)
    assert count_outputs(loaded, "one.pt", CPU) == 3
    torch.testing.assert_close(loaded.classify(IMAGES_BCHW), IMAGES_BCHW.mean((2, 3)))


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        ("resnet18.pth", {}, "file holds weights, or a format that is not read here"),
        ("w.safetensors", {}, "give the network's name and the weights as --weights"),
        ("own:predict", {"preprocessing": "unit"}, "is for model files"),
        ("resnet18", {"preprocessing": "unit"}, "a named network has its own"),
        ("own:predict", {"weights": "w.pth"}, "weights 'w.pth' are for networks by name"),
        ("m.onnx", {"weights": "w.pth"}, "'m.onnx' has its own"),
        ("m.onnx", {"preprocessing": "unix"}, "'unix' is unknown"),
        ("m.onnx", {}, "'m.onnx' is no file"),
        (":predict", {}, "cannot be imported"),
        ("resnet18x", {}, "known to neither torchvision nor timm"),
    ],
)
def test_refuses_what_cannot_be_loaded(model: str, settings: dict[str, str], message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        load_classifier(model, **settings, device=CPU)  # type: ignore[arg-type]


def test_a_module_that_cannot_be_run_is_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "unfinished_model.py").write_text("def predict(:\n")
    with pytest.raises(BackboneError, match="SyntaxError"):
        load_classifier("unfinished_model:predict", device=CPU)


def test_a_model_that_fails_is_named_with_its_reason() -> None:
    def fail(images_BCHW: torch.Tensor) -> torch.Tensor:
        raise ValueError("wants 9 pixels\nand more")

    with pytest.raises(BackboneError, match=r"'own' fails .* of 8 pixels: ValueError: wants 9 pix"):
        count_outputs(LoadedClassifier(fail, 8), "own", CPU)


def test_outputs_of_the_classes_of_a_folder() -> None:
    assert output_of_each(("a", "b", "c"), 3).tolist() == [0, 1, 2]
    ids = ("n01440764", "n02102040")
    np.testing.assert_array_equal(output_of_each(ids, 1000), [0, 217])
    with pytest.raises(DataError, match="'cat' is not named by a WordNet id"):
        output_of_each(("cat", "n02102040"), 1000)
    with pytest.raises(DataError, match="has 7 classes, but the folder has 2"):
        output_of_each(ids, 7)
