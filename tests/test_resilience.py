"""`mixqual evaluate` against classifiers whose accuracy is known without it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ended import Command
from PIL import Image
from torch import Tensor

import mixqual
from mixqual.config import DistortionConfig, RuntimeConfig
from mixqual.errors import BackboneError, DataError
from mixqual.resilience import evaluate

GRID = {
    "gaussian_noise": DistortionConfig(max=100.0, steps=2),
    "gaussian_blur": DistortionConfig(max=70.0, steps=2),
}

# Bright and dark bars; a classifier that looks for bars and not at brightness.
MODULE = '''
import torch

def by_brightness(images_BCHW):
    """Class 1 for a bright image: blur leaves the mean, and with it the answer, as it was."""
    mean_B = images_BCHW.mean((1, 2, 3))
    return torch.stack([127.5 - mean_B, mean_B - 127.5], dim=1)

def always_first(images_BCHW):
    return torch.tensor([[1.0, 0.0]]).expand(len(images_BCHW), 2)

def by_contrast(images_BCHW):
    """Class 1 for bars, class 0 for a plain image: blurred bars are plain."""
    deviation_B = images_BCHW.std((1, 2, 3))
    return torch.stack([30 - deviation_B, deviation_B - 30], dim=1)

def three(images_BCHW):
    return torch.zeros(len(images_BCHW), 3)

def flat(images_BCHW):
    return images_BCHW.mean((1, 2, 3))

NUMBER = 3
'''


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a module of classifiers that no other test has imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"own_{tmp_path.name}.py").write_text(MODULE)
    return tmp_path


@pytest.fixture
def module(workplace: Path) -> str:
    return f"own_{workplace.name}"


@pytest.fixture
def bars(workplace: Path) -> Path:
    """Three plain gray images of class 0, two with bars four pixels wide of class 1."""
    for name in ("0-plain", "1-bars"):
        (workplace / "images" / name).mkdir(parents=True)
    for number in range(3):
        plain = np.full((37, 37), 120 + number, np.uint8)
        Image.fromarray(plain).save(workplace / "images" / "0-plain" / f"{number}.png")
    for number in range(2):
        columns = np.arange(37) // 4 % 2 * 200 + number
        Image.fromarray(np.tile(columns.astype(np.uint8), (37, 1))).save(
            workplace / "images" / "1-bars" / f"{number}.png"
        )
    return workplace / "images"


def test_a_constant_classifier_has_the_share_of_its_class(bars: Path, module: str) -> None:
    results = mixqual.evaluate(f"{module}:always_first", bars, size=32, distortions=GRID)
    model = f"{module}:always_first"
    assert results["models"] == [model]
    for levels in results["accuracy"][model].values():
        assert set(levels.values()) == {0.6}
    for area in results["auc"][model].values():
        assert area["auc"] == pytest.approx(0.6)
        assert area["auc_without_clean"] == pytest.approx(0.6)


def test_accuracies_and_areas_of_a_hand_made_classifier(bars: Path, module: str) -> None:
    """Blur of 5 and 10 pixels turns bars of 8 pixels' period plain: right only for class 0.

    Noise of 50 and 100 makes all that is plain look like bars: right only for class 1.
    """
    model = f"{module}:by_contrast"
    results = evaluate(model, bars, size=32, distortions=GRID)
    blur = results["accuracy"][model]["gaussian_blur"]
    noise = results["accuracy"][model]["gaussian_noise"]
    assert blur == {"0": 1.0, "5": 0.6, "10": 0.6}
    assert noise == {"0": 1.0, "50": 0.4, "100": 0.4}
    areas = results["auc"][model]
    assert areas["gaussian_blur"]["auc"] == pytest.approx((1.0 + 2 * 0.6 + 0.6) / 4)
    assert areas["gaussian_noise"]["auc"] == pytest.approx((1.0 + 2 * 0.4 + 0.4) / 4)
    assert areas["gaussian_blur"]["auc_without_clean"] == pytest.approx(0.6)
    assert areas["average"]["auc"] == pytest.approx((0.7 + 0.55) / 2)
    assert results["provenance"]["images"] == {"test": 5}
    assert results["provenance"]["classes"] == ["0-plain", "1-bars"]


def test_the_command_prints_the_same(bars: Path, module: str, command: Command) -> None:
    model = f"{module}:by_contrast"
    options = ("--data", bars, "--size", 32, "--steps", 2)
    levels = ("--distortion", "gaussian_noise=100", "--distortion", "gaussian_blur=70")
    ended = command("evaluate", model, *options, *levels, "--json")
    assert ended.code == 0, ended.err
    printed = json.loads(ended.out)
    expected = evaluate(model, bars, size=32, distortions=GRID)
    for key in ("models", "distortions", "auc", "accuracy", "accuracy_ci95"):
        assert printed[key] == expected[key]
    ended = command("evaluate", model, *options, *levels)
    assert ended.code == 0
    for number in ("0.600", "0.400", "0.700", "0.550", "0.625"):
        assert number in ended.out


def test_a_named_network_equals_its_own_predictions(cells_folder: Path, tmp_path: Path) -> None:
    """The clean accuracy of a random network, with images read and cropped by hand."""
    import safetensors.torch
    import timm

    network = timm.create_model("test_efficientnet", num_classes=4).eval()
    safetensors.torch.save_file(network.state_dict(), tmp_path / "w.safetensors")
    results = evaluate(
        "timm/test_efficientnet",
        cells_folder,
        weights=str(tmp_path / "w.safetensors"),
        size=32,
        distortions={"gaussian_blur": DistortionConfig(max=10.0, steps=1)},
        runtime=RuntimeConfig(threads=1),
    )
    settings = timm.data.resolve_model_data_config(network)
    mean, std = (torch.tensor(settings[key])[:, None, None] for key in ("mean", "std"))
    right = []
    for label, folder in enumerate(sorted(cells_folder.iterdir())):
        for path in sorted(folder.iterdir()):
            image = Image.open(path).resize((37, 37), Image.Resampling.BICUBIC)
            gray_HW = torch.from_numpy(np.array(image.crop((2, 2, 34, 34)), dtype=np.float32))
            with torch.inference_mode():
                scores_BK = network(((gray_HW / 255).expand(3, -1, -1) - mean)[None] / std)
            right.append(scores_BK.argmax().item() == label)
    accuracy = results["accuracy"]["timm/test_efficientnet"]["gaussian_blur"]
    assert accuracy["0"] == pytest.approx(np.mean(right), abs=1e-6)


def test_imagenet_s_classes_are_found_by_wordnet_id(workplace: Path, module: str) -> None:
    """Folders of 3 of the 1000 classes: the model's outputs 0, 1 and 217 are theirs."""
    ids = {"n01440764": 0, "n01443537": 1, "n02102040": 217}
    for number, name in enumerate(ids):
        (workplace / "photos" / name).mkdir(parents=True)
        plain = np.full((37, 37), 40 * (number + 1), np.uint8)
        Image.fromarray(plain).save(workplace / "photos" / name / "0.png")
    (workplace / "thousand.py").write_text(
        "import torch\n"
        "def predict(images_BCHW):\n"
        "    scores = torch.zeros(len(images_BCHW), 1000)\n"
        "    for row, mean in zip(scores, images_BCHW.mean((1, 2, 3)).round().tolist()):\n"
        "        row[{40: 0, 80: 1, 120: 217}.get(int(mean), 5)] = 1\n"
        "    return scores\n"
    )
    results = evaluate(
        "thousand:predict",
        workplace / "photos",
        size=32,
        distortions={"gaussian_blur": GRID["gaussian_blur"]},
    )
    accuracies = results["accuracy"]["thousand:predict"]["gaussian_blur"]
    assert set(accuracies.values()) == {1.0}  # blur leaves a plain image as it is


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        ("three", DataError, "the model has 3 classes, but the folder has 2"),
        ("flat", BackboneError, r"shape \(images, classes\), but for 2 images it returned \(2,\)"),
        ("NUMBER", BackboneError, "is a int, not a function"),
        ("gone", BackboneError, "cannot be imported"),
    ],
)
def test_refuses_what_is_no_classifier_of_these_images(
    bars: Path, module: str, function: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        evaluate(f"{module}:{function}", bars, size=32, distortions=GRID)


def test_unreadable_images_are_listed(bars: Path, module: str) -> None:
    (bars / "0-plain" / "bad.png").write_bytes(b"")
    model = f"{module}:always_first"
    with pytest.raises(DataError, match="1 of 6 images cannot be read"):
        evaluate(model, bars, size=32, distortions=GRID)
    results = evaluate(model, bars, size=32, distortions=GRID, on_error="skip")
    (left_out,) = results["left_out"]
    assert results["provenance"]["left_out"] == 1
    assert left_out["id"] == "0-plain/bad.png"
    assert results["accuracy"][model]["gaussian_blur"]["0"] == 0.6


def test_a_classifier_may_be_any_callable_and_sees_gray_levels(bars: Path, module: str) -> None:
    seen: list[Tensor] = []
    predict: Callable[[Tensor], Tensor] = __import__(module).by_brightness
    __import__(module).spy = lambda x: (seen.append(x), predict(x))[1]
    evaluate(f"{module}:spy", bars, size=32, distortions={"gaussian_blur": GRID["gaussian_blur"]})
    images_BCHW = torch.cat(seen[1:])  # the first call only counts classes
    assert images_BCHW.shape == (15, 3, 32, 32)
    assert images_BCHW.dtype == torch.float32
    assert images_BCHW.max() > 199
