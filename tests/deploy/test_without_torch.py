"""On a machine that has what `pip install "mixqual[onnx]"` brings, and nothing more."""

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from finished_runs import Run
from PIL import Image
from small_elpv import cell

import mixqual
from mixqual.cli.app import TRAINING_PACKAGES
from mixqual.deploy.export import Exported

PYPROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]

BARE = """
import importlib.abc, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""
COMMAND = "from mixqual.cli import main\nsys.argv = {arguments!r}\nmain()\n"


def run_bare(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python where packages of other extras cannot be imported."""
    names = TRAINING_PACKAGES | {"onnx", "onnxscript"}
    bare = BARE.format(names=names) + code
    return subprocess.run([sys.executable, "-c", bare], capture_output=True, text=True)


def mixqual_bare(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run_bare(COMMAND.format(arguments=["mixqual", *map(str, arguments)]))


@pytest.fixture(scope="module")
def folder(
    tree_run: Run, in_onnx: Callable[[str], Exported], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The mixture as a bundle and in ONNX, and some photographs."""
    folder = tmp_path_factory.mktemp("bare")
    mixqual.export(tree_run.out, folder / "tiny.mixqual", model="mix")
    shutil.copy(in_onnx("mix").path, folder / "tiny.onnx")
    for number in range(3):
        Image.fromarray(cell(number, number, 60)).save(folder / f"{number}.png")
    return folder


@pytest.mark.slow
def test_it_predicts_what_the_bundle_does(folder: Path) -> None:
    (folder / "3.png").write_bytes(b"broken")
    ended = mixqual_bare("predict", folder / "tiny.onnx", folder / "*.png", "--json")
    assert ended.returncode == 1, ended.stderr
    *lines, broken = map(json.loads, ended.stdout.splitlines())
    assert broken["error"] == "not an image in a known format"
    expected = mixqual.load(folder / "tiny.mixqual").predict([line["image"] for line in lines])
    assert len(expected) == 3
    for line, right in zip(lines, expected, strict=True):
        assert line["class_name"] == right.class_name
        assert line["verdict"] == right.verdict
        assert line["probabilities"] == pytest.approx(right.probabilities, abs=1e-4)
        assert line["weights"] == pytest.approx(right.weights, abs=1e-4)
        assert line["experts_run"] == ["clean", "noise", "blur"]
        assert line["distortion"]["name"] == right.distortion.name


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--mode", "conditional"), ("--expert", "noise")])
def test_other_modes(folder: Path, options: tuple[str, str]) -> None:
    names = [folder / f"{number}.png" for number in range(3)]
    ended = mixqual_bare("predict", folder / "tiny.onnx", *names, "--json", *options)
    assert ended.returncode == 0, ended.stderr
    bundle = mixqual.load(folder / "tiny.mixqual", **{options[0].removeprefix("--"): options[1]})
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    for line, right in zip(lines, bundle.predict(names), strict=True):
        assert line["experts_run"] == list(right.experts_run)
        assert line["probabilities"] == pytest.approx(right.probabilities, abs=1e-4)
        assert line["verdict"] == right.verdict


@pytest.mark.slow
def test_arrays_and_what_is_no_image_from_python(folder: Path) -> None:
    code = f"""
import numpy as np, mixqual
predictor = mixqual.load({str(folder / "tiny.onnx")!r})
found = predictor.predict([np.zeros((40, 50), np.uint8), np.full((20, 20, 3), 255.0)])
print([each.class_name in predictor.manifest.classes for each in found])
try: predictor.predict(b"no image")
except mixqual.MixqualError as error: print(error)
"""
    ended = run_bare(code)
    assert ended.stdout.splitlines() == ["[True, True]", "not an image in a known format"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "tiny.mixqual", "0.png"),
        ("export", "runs/mine", "tiny.onnx"),
        ("run", "study.toml"),
        ("report", "runs/mine"),
        ("cost", "resnet18", "--classes", "3"),
        ("distortions",),
        ("data", "check", "photos"),
    ],
)
def test_what_needs_more_says_so_in_a_line(folder: Path, arguments: tuple[str, ...]) -> None:
    ended = mixqual_bare(*(folder / a if (folder / a).is_file() else a for a in arguments))
    assert ended.returncode == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: this command needs ")
    assert line.endswith('which the train extra brings: pip install "mixqual[train]"')


def test_the_extras_are_what_is_said_of_them() -> None:
    def names(requirements: list[str]) -> set[str]:
        return {requirement.partition(">")[0].strip() for requirement in requirements}

    extras = PYPROJECT["optional-dependencies"]
    assert names(extras["train"]) == TRAINING_PACKAGES
    assert names(PYPROJECT["dependencies"]) == {"numpy", "pillow", "pydantic", "rich", "typer"}
    assert names(extras["onnx"]) == {"onnxruntime"}
    for name in ("demo", "bench", "dev"):
        assert "mixqual[train]" in extras[name]
