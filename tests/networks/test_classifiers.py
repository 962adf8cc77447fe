"""Any classifier by its name, and what cannot be one."""

import warnings
from pathlib import Path

import onnx
import pytest
import torch
from exported_models import trace_one_by_one, write_channel_means
from onnx import TensorProto, helper

from mixqual.errors import BackboneError
from mixqual.networks.class_order import imagenet_ids
from mixqual.networks.classifiers import (
    LoadedClassifier,
    count_outputs,
    load_classifier,
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


def test_names_of_classes_in_a_file_are_read(tmp_path: Path, means: str) -> None:
    model = onnx.load(means)
    helper.set_model_props(model, {"names": "{0: 'red', 1: 'green', 2: 'blue'}"})
    onnx.save(model, means)
    assert load_classifier(means, device=CPU).classes == ("red", "green", "blue")
    path = str(tmp_path / "one.torchscript")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates what users still have files of
        scripted = torch.jit.script(torch.nn.Flatten())
        for facts, names in (('{"names": {"0": "a", "1": "b"}}', ("a", "b")), ("oops", None)):
            torch.jit.save(scripted, path, {"config.txt": facts})
            assert load_classifier(path, device=CPU).classes == names


def test_what_is_not_known_is_told_as_assumed(means: str, tmp_path: Path) -> None:
    assert load_classifier(means, device=CPU).assumed == (
        "preprocessing 'imagenet' (--preprocessing)",
    )
    assert load_classifier(means, preprocessing="unit", device=CPU).assumed == ()
    free = str(write_channel_means(tmp_path / "free.onnx", ["n", 3, "h", "w"]))
    assert load_classifier(free, preprocessing="unit", device=CPU).assumed == (
        "images of 224 pixels (--size)",
    )
    assert load_classifier(free, preprocessing="unit", size=32, device=CPU).assumed == ()


def test_weights_that_come_with_a_network_know_imagenet_s_classes() -> None:
    lite = "timm/tf_efficientnet_lite0"
    loaded = load_classifier(lite, weights="packaged", size=32, device=CPU)
    assert loaded.classes == imagenet_ids()
    assert load_classifier(lite, weights="random", size=32, device=CPU).classes is None


@pytest.mark.parametrize("name", ["hf-hub:timm/test_efficientnet.r160_in1k", "hf_hub:timm/vit"])
def test_a_network_of_the_hub_is_no_function(name: str) -> None:
    if name.endswith("vit"):
        with pytest.raises(BackboneError, match="is known to neither torchvision nor timm"):
            load_classifier(name, weights="random", device=CPU)
    else:
        loaded = load_classifier(name, weights="random", size=32, device=CPU)
        assert loaded.facts["format"] == "network"
