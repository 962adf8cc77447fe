"""`mixqual evaluate` against classifiers whose accuracy is known without it."""

import csv
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ended import Command
from PIL import Image
from torch import Tensor, nn

import mixqual
from mixqual.config import DistortionConfig, RuntimeConfig
from mixqual.errors import BackboneError, DataError, MixqualError, StudyError
from mixqual.evaluation.corruption_error import ALEXNET
from mixqual.imagenet_c import NAMES, corruption
from mixqual.layout import to_markdown
from mixqual.report.resilience import corruption_table, resilience_table, write_csv
from mixqual.resilience import evaluate, levels_up_to

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

def by_colour(images_BCHW):
    """Class 0 for images without colour."""
    colour_B = images_BCHW.std(1).mean((1, 2))
    return torch.stack([0.5 - colour_B, colour_B - 0.5], dim=1)

def sure(images_BCHW):
    """Probabilities of 0.8 and 0.2, whatever the image."""
    return torch.tensor([[0.8, 0.2]]).expand(len(images_BCHW), 2)

def sure_logits(images_BCHW):
    return sure(images_BCHW).log() + 7

def not_a_number(images_BCHW):
    return images_BCHW.new_full((len(images_BCHW), 2), float("nan"))

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
    # 0.9 is a quarter of the way from 1.0 to 0.6, and a sixth of that to 0.4.
    kept = results["kept_levels"][model]
    assert kept["gaussian_blur"]["90%"]["level"] == pytest.approx(5 / 4)
    assert kept["gaussian_noise"]["90%"]["level"] == pytest.approx(50 / 6)
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


def test_the_command_says_and_checks_up_to_which_level_accuracy_is_kept(
    bars: Path, module: str, command: Command
) -> None:
    """As above, accuracy falls from 1.0 to 0.6 at a blur of 5 pixels: it is 0.9 at 1.25."""
    blur = ("evaluate", f"{module}:by_contrast", "--data", bars, "--size", 32, "--steps", 2)
    blur = (*blur, "--distortion", "gaussian_blur=70")
    ended = command(*blur, "--keep", "0.6", "--keep", "80%", "--fail-under", "gaussian_blur@90%=1")
    assert ended.code == 0, ended.err
    for text in ("> 10", "80 % of clean", "2.5", "90 % of clean", "1.25", "accuracy 0.6"):
        assert text in ended.out
    assert "Up to level" in ended.out
    ended = command(*blur, "--fail-under", "gaussian_blur@90%=1.3", "--json")
    assert ended.code == 3
    assert "keeps 90 % of clean up to 1.25 pixels at 32 px, not up to the floor of 1.3" in ended.err
    assert list(json.loads(ended.out)["kept_levels"][f"{module}:by_contrast"]) == ["gaussian_blur"]
    beyond = command(*blur, "--fail-under", "gaussian_blur@90%=70").refusal()
    assert "none of the levels that were tested, 0 to 10 pixels at 32 px" in beyond
    assert "write a share" in command(*blur, "--keep", "most").refusal()


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
    assert results["provenance"]["backends"] == {"model": ["eager"]}
    again = evaluate(
        "timm/test_efficientnet",
        cells_folder,
        weights=str(tmp_path / "w.safetensors"),
        size=32,
        distortions={"gaussian_blur": DistortionConfig(max=10.0, steps=1)},
        runtime=RuntimeConfig(threads=1, backend="onnxruntime"),
    )
    assert again["provenance"]["backends"] == {"model": ["onnxruntime"]}
    assert again["accuracy"] == results["accuracy"]


def test_functions_and_files_run_as_they_are(bars: Path, module: str, command: Command) -> None:
    results = evaluate(f"{module}:always_first", bars, size=32, distortions=GRID)
    assert results["provenance"]["backends"] == {"model": ["as it is"]}
    ended = command(
        *("evaluate", f"{module}:always_first", "--data", bars, "--backend", "onnxruntime")
    )
    assert "runtime.backend = 'onnxruntime' is for networks by name" in ended.refusal()
    ended = command("evaluate", f"{module}:always_first", "--data", bars, "--backend", "fast")
    assert "backend" in ended.refusal()


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


@pytest.fixture
def gray_and_colour(workplace: Path) -> Path:
    """Folders `gray`, of five grayscale files, and `mixed`, where one of them is in colour."""
    generator = np.random.default_rng(0)
    for root in ("gray", "mixed"):
        for number in range(5):
            plain = Image.fromarray(generator.integers(60, 180, (37, 37), np.uint8))
            folder = workplace / root / ("0-first" if number < 3 else "1-second")
            folder.mkdir(parents=True, exist_ok=True)
            in_colour = root == "mixed" and number == 4
            (plain.convert("RGB") if in_colour else plain).save(folder / f"{number}.png")
    return workplace


NOISES = ("gaussian_noise", "shot_noise", "speckle_noise", "impulse_noise", "low_light")


@pytest.mark.parametrize(
    ("folder", "setting", "accuracy"),
    [("gray", "sensor", 0.6), ("gray", "independent", 0.4), ("mixed", "sensor", 0.4)],
)
def test_noise_of_grayscale_files_has_colour_if_asked_for_or_one_is_in_colour(
    gray_and_colour: Path, module: str, folder: str, setting: str, accuracy: float
) -> None:
    """A classifier that looks at colour: class 0, which three of five are, as long as none is."""
    model = f"{module}:by_colour"
    settings = {
        name: levels_up_to(name, level, 1)
        for name, level in zip(NOISES, (50.0, 50.0, 0.5, 0.3, 5.0), strict=True)
    }
    results = evaluate(
        model, gray_and_colour / folder, size=32, distortions=settings, grayscale_noise=setting
    )
    for name in NOISES:
        clean, noisy = results["accuracy"][model][name].values()
        assert (clean, noisy) == (0.6, accuracy), name
        said = {"gray": True} if accuracy == 0.6 else {}
        assert results["distortions"][name]["options"] == said


def test_noise_of_imagenet_c_is_that_of_the_files(
    gray_and_colour: Path, module: str, command: Command
) -> None:
    model = f"{module}:by_colour"
    answers = {}
    for setting in ("sensor", "independent"):
        ended = command(
            *("evaluate", model, "--data", gray_and_colour / "gray", "--size", 16, "--imagenet-c"),
            *("--grayscale-noise", setting, "--json"),
        )
        assert ended.code == 0, ended.err
        answers[setting] = json.loads(ended.out)
    for name in ("gaussian_noise", "shot_noise", "impulse_noise"):
        assert set(answers["sensor"]["accuracy"][model][name].values()) == {0.6}
        assert set(answers["independent"]["accuracy"][model][name].values()) == {0.6, 0.4}
        said = answers["sensor"]["distortions"][name]["steps"]
        assert all(step["options"]["gray"] is True for step in said)
    for name in ("defocus_blur", "contrast", "jpeg_compression"):
        assert answers["sensor"]["distortions"][name] == answers["independent"]["distortions"][name]
    (gray_and_colour / "other.json").write_text(json.dumps(answers["independent"]))
    with pytest.raises(StudyError, match=r"other\.json has gaussian_noise with steps"):
        evaluate(
            model,
            gray_and_colour / "gray",
            size=16,
            imagenet_c=True,
            baseline=gray_and_colour / "other.json",
        )


def test_an_unknown_noise_is_refused(bars: Path, module: str) -> None:
    with pytest.raises(StudyError, match=r"grayscale_noise: .*'sensor' or 'independent'"):
        evaluate(f"{module}:sure", bars, size=32, distortions=GRID, grayscale_noise="pink")


# Metrics


@pytest.mark.parametrize(
    ("function", "scores"), [("sure", "probabilities"), ("sure_logits", "softmax")]
)
def test_metrics_of_constant_probabilities(
    bars: Path, module: str, function: str, scores: str
) -> None:
    """Three of five images are of the class that has 0.8: known without a distortion."""
    model = f"{module}:{function}"
    results = evaluate(model, bars, size=32, distortions=GRID)
    assert scores in results["provenance"]["model"]["scores"]
    nll = (3 * -np.log(0.8) + 2 * -np.log(0.2)) / 5
    for name, levels in results["metrics"][model].items():
        assert levels.keys() == results["accuracy"][model][name].keys()
        for metrics in levels.values():
            assert (metrics["n"], metrics["right"], metrics["classes"]) == (5, 3, 2)
            assert metrics["accuracy"] == 0.6
            assert metrics["error_rate"] == 0.4
            assert metrics["class_mean_accuracy"] == 0.5
            assert metrics["nll"] == pytest.approx(nll, abs=1e-6)
            assert metrics["ece"] == pytest.approx(0.2, abs=1e-6)
    assert results["metric_info"]["ece"]["better"] == "lower"


def test_metrics_follow_the_level(bars: Path, module: str) -> None:
    model = f"{module}:by_contrast"
    metrics = evaluate(model, bars, size=32, distortions=GRID)["metrics"][model]["gaussian_noise"]
    assert metrics["0"]["class_mean_accuracy"] == 1
    assert metrics["0"]["nll"] < 0.01
    # Class 1 is right, class 0 wrong, and sure of it.
    assert metrics["100"]["class_mean_accuracy"] == 0.5
    assert metrics["100"]["ece"] == pytest.approx(0.6, abs=0.001)


def test_scores_that_are_no_numbers_are_refused(bars: Path, module: str) -> None:
    with pytest.raises(MixqualError, match="not_a_number gives scores that are NaN or infinite"):
        evaluate(f"{module}:not_a_number", bars, size=32, distortions=GRID)


# Corruption errors


def test_corruption_errors_against_another_model(bars: Path, module: str, tmp_path: Path) -> None:
    """Errors: 0.4 at all levels of one; of the other 0 clean, 0.6 under noise, 0.4 under blur."""
    first, contrast = f"{module}:always_first", f"{module}:by_contrast"
    for name in ("always_first", "by_contrast"):
        results = evaluate(f"{module}:{name}", bars, size=32, distortions=GRID)
        (tmp_path / f"{name}.json").write_text(json.dumps(results))
        assert "corruption_error" not in results
        assert corruption_table(results) is None

    results = evaluate(
        first, bars, size=32, distortions=GRID, baseline=tmp_path / "by_contrast.json"
    )
    found = results["corruption_error"]
    assert found["baseline"] == contrast
    assert found["mce"]["value"] == pytest.approx((100 * 0.4 / 0.6 + 100) / 2, abs=1e-5)
    assert found["relative_mce"]["value"] == 0
    page = to_markdown(corruption_table(results))
    for text in ("| Noise", "40.0", "60.0", "66.7", "83.3 [", "lower is better", contrast):
        assert text in page

    results = evaluate(
        contrast, bars, size=32, distortions=GRID, baseline=tmp_path / "always_first.json"
    )
    found = results["corruption_error"]
    assert found["distortions"]["gaussian_noise"]["ce"] == pytest.approx(150)
    assert found["mce"]["value"] == pytest.approx(125)
    assert found["relative_mce"] == {"value": None, "ci95": None}
    page = to_markdown(corruption_table(results))
    assert "No relative CE for Noise, Blur" in page


def test_a_baseline_of_something_else_is_refused(bars: Path, module: str, tmp_path: Path) -> None:
    model = f"{module}:always_first"
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps(evaluate(model, bars, size=32, distortions=GRID)))
    finer = {"gaussian_noise": DistortionConfig(max=100.0, steps=3)}
    with pytest.raises(StudyError, match="has gaussian_noise with levels"):
        evaluate(model, bars, size=32, distortions=finer, baseline=path)
    next((bars / "0-plain").iterdir()).unlink()
    with pytest.raises(StudyError, match=r"other images \(5 of 2 classes\) than .* \(4 of 2\)"):
        evaluate(model, bars, size=32, distortions=GRID, baseline=path)
    with pytest.raises(StudyError, match="is for ImageNet-C at severities 1 to 5"):
        evaluate(model, bars, size=32, distortions=GRID, baseline="alexnet")
    with pytest.raises(StudyError, match=r"gone\.json cannot be read"):
        evaluate(model, bars, size=32, distortions=GRID, baseline=tmp_path / "gone.json")


# What is measured at all


def test_the_order_of_folders_is_said_and_can_be_said_otherwise(
    bars: Path, module: str, command: Command
) -> None:
    """In the other order of classes each answer is wrong, which is near chance, and is said."""
    options = ("--data", bars, "--size", 32, "--steps", 1, "--distortion", "gaussian_blur=1")
    model = f"{module}:by_contrast"
    ended = command("evaluate", model, *options)
    text = " ".join(ended.out.split())
    assert "in the order of plain text (0-plain, 1-bars); the model has no names" in text
    assert "near that of guesses" not in text
    ended = command("evaluate", model, *options, "--classes", "1-bars,0-plain", "--json")
    results = json.loads(ended.out)
    assert results["accuracy"][model]["gaussian_blur"]["0"] == 0
    (doubt,) = results["doubts"]
    assert f"warning: {doubt}" in ended.err
    assert "near that of guesses: 0.000 as a mean over the classes, where guesses have 0.5" in doubt
    refused = command("evaluate", model, *options, "--classes", "bars,plain").refusal()
    assert "no classes of the model: 0-plain, 1-bars; its classes are bars, plain" in refused


def test_what_was_taken_for_granted_is_named_where_accuracy_is_near_chance(
    bars: Path, module: str
) -> None:
    blur = {"gaussian_blur": GRID["gaussian_blur"]}
    results = evaluate(f"{module}:always_first", bars, distortions=blur)
    assert results["doubts"][0].endswith(
        "was it taken for granted wrongly: images of 224 pixels (--size); the order of the classes "
        "(--classes)?"
    )
    assert results["doubts"][0] in resilience_table(results).warnings


def test_numbered_folders_need_an_order(workplace: Path) -> None:
    """A model of 0...11 in the order of numbers, by the brightness of plain images."""
    (workplace / "shades.py").write_text(
        "import torch\n"
        "def predict(images_BCHW):\n"
        "    shades_K = 20 * torch.arange(12)\n"
        "    return -(images_BCHW.mean((1, 2, 3))[:, None] - shades_K).abs()\n"
    )
    for number in range(12):
        (workplace / "n" / str(number)).mkdir(parents=True)
        plain = Image.new("L", (32, 32), 20 * number)
        plain.save(workplace / "n" / str(number) / "0.png")
    blur = {"gaussian_blur": GRID["gaussian_blur"]}
    with pytest.raises(DataError, match="class folders are numbered"):
        evaluate("shades:predict", workplace / "n", size=32, distortions=blur)
    for order, right in (("numeric", 1), ("text", 2 / 12)):
        results = evaluate(
            "shades:predict", workplace / "n", size=32, distortions=blur, classes=order
        )
        accuracy = results["accuracy"]["shades:predict"]["gaussian_blur"]["0"]
        assert accuracy == pytest.approx(right, abs=1e-6)
        assert bool(results["doubts"]) == (order == "text")


def test_of_given_splits_the_test_images_are_measured(bars: Path, module: str) -> None:
    """The bars of the training images are plain, and so all wrong."""
    root = bars.parent / "split"
    root.mkdir()
    bars.rename(root / "test")
    for name in ("0-plain", "1-bars"):
        (root / "train" / name).mkdir(parents=True)
        Image.new("L", (32, 32), 9).save(root / "train" / name / "0.png")
    model, blur = f"{module}:by_contrast", {"gaussian_blur": GRID["gaussian_blur"]}
    for split, count, accuracy, said in (
        (None, 5, 1, "(the folder's test split; left aside: train (2))"),
        ("train", 2, 0.5, "(the folder's train split; left aside: test (5))"),
        ("all", 7, 6 / 7, "(of all splits, what was trained on included)"),
    ):
        results = evaluate(model, root, size=32, distortions=blur, split=split)
        clean = results["metrics"][model]["gaussian_blur"]["0"]
        assert (clean["n"], clean["accuracy"]) == (count, pytest.approx(accuracy, abs=1e-6))
        assert f"{count} images of 2 classes {said}" in to_markdown(resilience_table(results))
    with pytest.raises(DataError, match="no split 'val': split has the splits train, test"):
        evaluate(model, root, size=32, distortions=blur, split="val")


# Distortions


def test_levels_that_fall_as_damage_grows(bars: Path, module: str) -> None:
    grids = {"jpeg": levels_up_to("jpeg", 10, 2), "gaussian_blur": levels_up_to("gaussian_blur", 7)}
    assert (grids["jpeg"].min, grids["jpeg"].max, grids["jpeg"].steps) == (10, None, 2)
    assert (grids["gaussian_blur"].max, grids["gaussian_blur"].steps) == (7, 10)
    results = evaluate(f"{module}:always_first", bars, size=32, distortions=grids)
    clean, _, worst = results["distortions"]["jpeg"]["levels"]
    assert clean > worst == 10
    assert len(results["accuracy"][f"{module}:always_first"]["jpeg"]) == 3
    with pytest.raises(StudyError, match="distortion gaussian_blur: max"):
        levels_up_to("gaussian_blur", -1)


def test_nothing_to_evaluate_under_is_refused(bars: Path, module: str) -> None:
    with pytest.raises(StudyError, match="there is no distortion"):
        evaluate(f"{module}:always_first", bars, size=32, distortions={})


def test_imagenet_c_is_swept_severity_by_severity(
    bars: Path, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the model is shown are the corruptions' own distortions, at their levels."""
    seen: list[Tensor] = []
    predict: Callable[[Tensor], Tensor] = __import__(module).always_first
    __import__(module).spy = lambda x: (seen.append(x), predict(x))[1]
    model = f"{module}:spy"
    results = evaluate(model, bars, size=32, imagenet_c=True)
    assert list(results["distortions"]) == list(NAMES)
    assert len(NAMES) == 15
    for name, grid in results["distortions"].items():
        assert grid["levels"] == [0, 1, 2, 3, 4, 5]
        assert list(results["accuracy"][model][name]) == list("012345")
    _, clean_BCHW, *distorted = seen  # the first call counts classes
    assert len(distorted) == 75
    for place, (name, severity) in enumerate((n, s) for n in NAMES for s in (1, 2, 3, 4, 5)):
        mapped = corruption(name, severity)
        kind = mixqual.distortion(mapped.distortion, **mapped.options)
        if not kind.random:
            level = mapped.level * (32 / 224 if kind.scales_with_size else 1)
            levels_B = torch.full((5,), level, dtype=torch.float64)
            expected_BCHW = kind(clean_BCHW, levels_B)
            torch.testing.assert_close(distorted[place], expected_BCHW, rtol=0, atol=1e-3)
        if not kind.scales_with_size:  # or 32 pixels may be too few to see it
            assert (distorted[place] - clean_BCHW).abs().max() > 1
    with pytest.raises(StudyError, match="this one has 2"):
        evaluate(model, bars, size=32, imagenet_c=True, baseline="alexnet")
    with pytest.raises(StudyError, match="gaussian_noise is asked for both by itself"):
        evaluate(model, bars, size=32, imagenet_c=True, distortions=GRID)


def test_alexnet_is_the_baseline_for_a_model_of_imagenet_s_classes(workplace: Path) -> None:
    """A model that is always wrong: CE is 100 over AlexNet's error, and relative CE 0."""
    for number, name in enumerate(("n01440764", "n01443537")):
        (workplace / "photos" / name).mkdir(parents=True)
        plain = np.full((37, 37), 40 * (number + 1), np.uint8)
        Image.fromarray(plain).save(workplace / "photos" / name / "0.png")
    (workplace / "wrong.py").write_text(
        "import torch\n"
        "def predict(images_BCHW):\n"
        "    return torch.eye(1000)[7].expand(len(images_BCHW), 1000)\n"
    )
    results = evaluate(
        "wrong:predict", workplace / "photos", size=32, imagenet_c=True, baseline="alexnet"
    )
    found = results["corruption_error"]
    assert found["baseline"] == "AlexNet"
    assert found["distortions"]["fog"]["ce"] == pytest.approx(100 / 0.819324, abs=1e-5)
    expected = np.mean([100 / ALEXNET.distorted[name] for name in NAMES])
    assert found["mce"]["value"] == pytest.approx(expected, abs=1e-5)
    assert found["relative_mce"]["value"] == 0
    page = to_markdown(corruption_table(results))
    assert "Not the original corruptions of ImageNet-C" in page
    assert "43.5 %" in page


# Model files


class ByContrast(nn.Module):
    """The classifier of the same name, for images of 0 to 1."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        deviation_B = 255 * images_BCHW.std((1, 2, 3))
        return torch.stack([30 - deviation_B, deviation_B - 30], dim=1)


def test_a_file_is_as_resilient_as_the_function_it_is_made_of(bars: Path, module: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates what users still have files of
        torch.jit.script(ByContrast()).save(bars.parent / "contrast.pt")
    function = f"{module}:by_contrast"
    expected = evaluate(function, bars, size=32, distortions=GRID)
    results = evaluate("contrast.pt", bars, size=32, preprocessing="unit", distortions=GRID)
    for key in ("accuracy", "auc"):
        assert results[key]["contrast.pt"] == expected[key][function]
    for name, levels in results["metrics"]["contrast.pt"].items():
        for level, metrics in levels.items():
            other = expected["metrics"][function][name][level]
            assert metrics == pytest.approx(other, abs=1e-5)
    facts = results["provenance"]["model"]
    assert facts["format"] == "TorchScript"
    assert facts["preprocessing"] == "unit: (grey level / 255 - (0)) / (1)"


# Reports


def test_the_table_says_what_was_measured_and_how(bars: Path, module: str) -> None:
    model = f"{module}:by_contrast"
    page = to_markdown(resilience_table(evaluate(model, bars, size=32, distortions=GRID)))
    header, *_ = [line for line in page.splitlines() if line.startswith("| Distortion")]
    for title in ("Level", "Accuracy [95 % interval]", "Class-mean accuracy", "NLL", "ECE"):
        assert f" {title} " in header
    assert "5 images of 2 classes, 32×32 px" in page
    assert "preprocessing its own; outputs logits" in page
    assert "15 equal-width bins" in page


def test_the_csv_has_a_row_for_each_distortion_and_level(
    bars: Path, module: str, tmp_path: Path
) -> None:
    results = evaluate(f"{module}:by_contrast", bars, size=32, distortions=GRID)
    write_csv(results, tmp_path / "new" / "table.csv")
    with (tmp_path / "new" / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["distortion"], row["level"]) for row in rows] == [
        ("gaussian_noise", "0.0"),
        ("gaussian_noise", "50.0"),
        ("gaussian_noise", "100.0"),
        ("gaussian_blur", "0.0"),
        ("gaussian_blur", "5.0"),
        ("gaussian_blur", "10.0"),
    ]
    assert [float(row["accuracy"]) for row in rows] == [1, 0.4, 0.4, 1, 0.6, 0.6]
    assert [float(row["class_mean_accuracy"]) for row in rows] == [1, 0.5, 0.5, 1, 0.5, 0.5]
    for row in rows:
        assert (row["n"], row["model"]) == ("5", f"{module}:by_contrast")
        assert float(row["accuracy_low"]) <= float(row["accuracy"]) <= float(row["accuracy_high"])
