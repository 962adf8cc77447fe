"""A file of ours is measured with its own classes, size, filter and normalisation."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from ended import Command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto
from PIL import Image
from test_bundle import MANIFEST
from test_onnx_file import FACTS
from test_onnx_runner import mean_graph
from test_whole_network import mixture

from mixqual import load
from mixqual.config import BackboneConfig, DistortionConfig, RuntimeConfig
from mixqual.deploy import Manifest
from mixqual.deploy.assembly import mixture_tensors
from mixqual.deploy.bundle import write_bundle
from mixqual.deploy.exported_classifier import load_exported
from mixqual.deploy.onnx_file import write_onnx_file
from mixqual.deploy.torch_program import torch_program
from mixqual.deploy.whole_network import WholeNetwork, example_of
from mixqual.errors import BackboneError, BundleError
from mixqual.networks import Gate, Mixture, Preprocessing, build_classifier
from mixqual.resilience import evaluate

__all__ = ["mixture"]

CPU = torch.device("cpu")
NAMES = ("bird", "cat", "dög", "elk")
LEVEL = {"gaussian_blur": DistortionConfig(max=1.0, steps=1)}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images of each class: coloured stripes of any width, on no square."""
    root, generator = tmp_path_factory.mktemp("photos"), np.random.default_rng(5)
    for name in NAMES:
        (root / name).mkdir()
        for number in range(2):
            period, shades = generator.integers(2, 9), generator.integers(0, 256, (2, 3))
            stripes_HW = np.indices((50, 61)).sum(0) // period % 2
            Image.fromarray(shades[stripes_HW].astype(np.uint8)).save(root / name / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    """Of two experts whose answers depend on the image, and a gate."""
    backbone = BackboneConfig(name="timm/test_efficientnet", weights="random")
    networks = [build_classifier(backbone, len(NAMES), seed) for seed in (1, 2)]
    for network in networks:
        network.new_parameters()[0].data.mul_(20)
    gate = Gate(2, Preprocessing((0.5,) * 3, (0.5,) * 3, "bicubic"))
    experts = dict(zip(MANIFEST["experts"], (net.state_dict() for net in networks), strict=True))
    return mixture_tensors(experts, gate.state_dict(), None)


def written(path: Path, tensors: dict[str, torch.Tensor], **told: Any) -> Path:
    """A bundle that tells this of itself."""
    write_bundle(path, Manifest.model_validate(MANIFEST | told), tensors)
    return path


channels = st.tuples(*[st.floats(0.2, 0.8)] * 3)


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.permutations(NAMES),
    st.integers(16, 48),
    st.sampled_from(["bilinear", "bicubic"]),
    channels,
    channels,
)
def test_it_is_as_good_as_its_predictions_on_the_same_files(
    photos: Path,
    tensors: dict[str, torch.Tensor],
    tmp_path: Path,
    classes: list[str],
    size: int,
    interpolation: str,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> None:
    told = {"classes": tuple(classes), "size": size, "interpolation": interpolation}
    path = written(tmp_path / "b.mixqual", tensors, **told, mean=mean, std=std)
    files = sorted(photos.glob("*/*.png"))
    predictions = load(path).predict(files)
    pairs = list(zip(predictions, [file.parent.name for file in files], strict=True))
    right = [found.class_name == name for found, name in pairs]
    true = [found.probabilities[name] for found, name in pairs]
    results = evaluate(str(path), photos, distortions=LEVEL, runtime=RuntimeConfig(threads=1))
    clean = results["metrics"][str(path)]["gaussian_blur"]["0"]
    assert clean["accuracy"] == pytest.approx(np.mean(right), abs=1e-6)
    # Any other pixel, or scale of it, would show here.
    assert clean["nll"] == pytest.approx(-np.log(true).mean(), abs=1e-4)
    assert results["provenance"]["size"] == size


def means(size: int, classes: tuple[str, ...] = ("cat", "dög")) -> tuple[bytes, Manifest]:
    """A graph whose probabilities are the means of the first two channels, and its manifest."""
    graph = onnx.load_from_string(mean_graph(TensorProto.UINT8))
    for side in graph.graph.input[0].type.tensor_type.shape.dim[2:]:
        side.dim_value = size
    manifest = Manifest.model_validate(MANIFEST | {"size": size, "classes": classes})
    return graph.SerializeToString(), manifest


@pytest.fixture(params=["onnx", pytest.param("pt2", marks=pytest.mark.slow), "mixqual"])
def own(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    mixture: Mixture,
    tensors: dict[str, torch.Tensor],
) -> Path:
    """A file of ours in each format, for 32 pixels."""
    path = tmp_path / f"own.{request.param}"
    if request.param == "onnx":
        write_onnx_file(path, *means(32), FACTS)
    elif request.param == "pt2":
        manifest = Manifest.model_validate(MANIFEST)
        network = WholeNetwork(manifest, mixture).eval()
        path.write_bytes(torch_program(network, example_of(manifest, "uint8"), manifest))
    else:
        written(path, tensors, classes=NAMES)
    return path


def refuses_what_is_known(own: Path) -> None:
    """Settings of other models, beside a file that has its own."""
    with pytest.raises(BackboneError, match=r"preprocessing 'unit': .* has its own"):
        load_exported(str(own), preprocessing="unit", device=CPU)
    with pytest.raises(BackboneError, match=r"weights 'w\.pth': .* has its own"):
        load_exported(str(own), weights="w.pth", device=CPU)
    with pytest.raises(BackboneError, match="takes images of 32 pixels only, not 224"):
        load_exported(str(own), size=224, device=CPU)


def test_every_format_tells_what_it_is(own: Path) -> None:
    loaded = load_exported(str(own), device=CPU)
    assert loaded is not None
    classes = NAMES if own.suffix == ".mixqual" else MANIFEST["classes"]
    assert (loaded.classes, loaded.size, loaded.interpolation) == (classes, 32, "bicubic")
    assert loaded.assumed == ()
    assert loaded.facts["format"].startswith("mixqual ")
    assert len(loaded.facts["sha256"]) == 64
    refuses_what_is_known(own)
    scores_BK = loaded.classify(torch.full((2, 3, 32, 32), 77.0))
    assert scores_BK.shape == (2, len(classes))
    if own.suffix == ".onnx":  # grey levels as they are
        torch.testing.assert_close(scores_BK, torch.full((2, 2), 77.0))
    else:
        torch.testing.assert_close(scores_BK.sum(1).float(), torch.ones(2))


@pytest.mark.parametrize("name", ["resnet18", "own:predict", "gone.onnx", "gone.pt2", "w.pth"])
def test_what_is_not_ours_is_left_to_others(name: str) -> None:
    assert load_exported(name, device=CPU) is None


def test_foreign_files_are_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "foreign.onnx").write_bytes(mean_graph(TensorProto.UINT8))
    with zipfile.ZipFile(tmp_path / "foreign.pt2", "w") as archive:
        archive.writestr("archive/model.json", "{}")
    for path in tmp_path.iterdir():
        assert load_exported(str(path), device=CPU) is None


def test_a_bundle_is_known_by_its_content(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    path = written(tmp_path / "renamed.bin", tensors, classes=NAMES)
    loaded = load_exported(str(path), device=CPU)
    assert loaded is not None
    assert loaded.classes == NAMES


def test_one_of_ours_that_is_damaged_is_not_taken_for_a_foreign_one(tmp_path: Path) -> None:
    graph, manifest = means(32)
    write_onnx_file(tmp_path / "b.onnx", graph, manifest, FACTS)
    content = (tmp_path / "b.onnx").read_bytes()
    assert b"cat" in content
    (tmp_path / "b.onnx").write_bytes(content.replace(b"cat", b"dog"))
    with pytest.raises(BundleError, match="is not what was written"):
        load_exported(str(tmp_path / "b.onnx"), device=CPU)
    (tmp_path / "b.mixqual").write_bytes(b"no archive")
    with pytest.raises(BundleError, match="no whole bundle"):
        load_exported(str(tmp_path / "b.mixqual"), device=CPU)


def test_the_command_measures_the_test_images_by_their_names(
    tmp_path: Path, command: Command
) -> None:
    """Class zero is that of much red. The folders' order is not the model's, and both are right."""
    graph, manifest = means(16, ("red", "green"))
    write_onnx_file(tmp_path / "b.onnx", graph, manifest, FACTS)
    for split, count in (("train", 3), ("test", 2)):
        for name, colour in (("red", (200, 10, 0)), ("green", (10, 200, 0))):
            (tmp_path / "photos" / split / name).mkdir(parents=True)
            for number in range(count):
                image = Image.new("RGB", (20, 30), colour)
                image.save(tmp_path / "photos" / split / name / f"{number}.png")
    options = ("--data", tmp_path / "photos", "--steps", 1, "--distortion", "gaussian_blur=1")
    ended = command("evaluate", tmp_path / "b.onnx", *options)
    assert ended.code == 0, ended.err
    text = " ".join(ended.out.split())
    assert "4 images of 2 classes (the folder's test split; left aside: train (6))" in text
    assert "Blur AUC 1.000" in text
    (tmp_path / "photos/test/red").rename(tmp_path / "photos/test/rot")
    (tmp_path / "photos/train/red").rename(tmp_path / "photos/train/rot")
    message = command("evaluate", tmp_path / "b.onnx", *options).refusal()
    assert "these folders are no classes of the model: rot; its classes are red, green" in message
    assert "(without a folder: red)" in message
    ended = command("evaluate", tmp_path / "b.onnx", *options, "--classes", "rot,green")
    assert "Blur AUC 1.000" in " ".join(ended.out.split())
