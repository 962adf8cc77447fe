"""Studies on images that stand in two splits or classes, as some published lists have them."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ended import Command
from finished_runs import run_study_file
from PIL import Image
from small_elpv import CLASSES, cell, write_study

from mixqual.config import DataConfig
from mixqual.errors import DataError
from mixqual.runtime import set_up_machine
from mixqual.stages import prepare_images
from mixqual.study import Study
from mixqual.workbench import Workbench

DRAWN = "train = 10\nval = 4\ntest = 6"
GIVEN = "val = 0.25"


@pytest.fixture
def twins(tmp_path: Path) -> Path:
    """Given splits of 6 and 4 images a class, a file of both, and a picture of two classes."""
    root = tmp_path / "twins"
    for label, name in enumerate(CLASSES):
        for split, numbers in (("train", range(6)), ("test", range(6, 10))):
            (root / split / name).mkdir(parents=True)
            for number in numbers:
                image = Image.fromarray(cell(label, number, 40))
                image.save(root / split / name / f"{number}.png")
    first, second = (root / "test" / name for name in CLASSES[:2])
    (first / "copy.png").write_bytes((root / "train" / CLASSES[0] / "0.png").read_bytes())
    with Image.open(first / "6.png") as image:
        image.save(second / "same.png", compress_level=0)  # other bytes
    return root


@pytest.fixture
def study(twins: Path, tmp_path: Path) -> Callable[..., Path]:
    """The tiny study on them."""

    def write(*changes: tuple[str, str]) -> Path:
        return write_study(tmp_path / "tiny.toml", twins, (DRAWN, GIVEN), *changes)

    return write


def test_a_dry_run_says_what_a_run_stops_at(
    command: Command, study: Callable[..., Path], tmp_path: Path
) -> None:
    ended = command("run", study(), "--out", tmp_path / "out", "--dry-run")
    assert ended.code == 0
    told = "the run will stop, as 1 image is of val or test and in an earlier split"
    assert told in ended.out
    assert "test/mono-functional/copy.png (test) and train/mono-functional/0.png" in ended.out
    assert 'or go on all the same with data.on_leak = "warn"' in ended.out
    with pytest.raises(
        DataError, match=r"1 image is of val or test[\s\S]*1 image is in another cl"
    ):
        Study.load(study()).run(tmp_path / "out")


@pytest.mark.slow
def test_results_are_with_and_without_them(
    command: Command, study: Callable[..., Path], tmp_path: Path
) -> None:
    """Three test images are: the copy of a training image, and the two that differ in class."""
    path = study(("size = 32", 'size = 32\non_leak = "warn"'))
    out = tmp_path / "out"
    ended = command("run", path, "--out", out, "--dry-run")
    assert "warning: 1 image is of val or test and in an earlier split" in ended.out
    results = run_study_file(path, out).results
    assert len(results["leaks"]) == 2
    without = results["without_twins"]
    assert (without["twins"], without["images"]) == (3, 15)
    for model in results["models"]:
        for name, accuracy in results["accuracy"][model].items():
            for level, share in accuracy.items():
                right = 15 * without["accuracy"][model][name][level]
                assert right == pytest.approx(round(right), abs=1e-4)
                assert -1e-4 <= 18 * share - right <= 3 + 1e-4
        areas = without["auc"][model]
        means = [areas[name]["auc"] for name in results["distortions"]]
        assert areas["average"]["auc"] == pytest.approx(np.mean(means), abs=2e-6)
    text = (out / "table.md").read_text()
    assert "## tiny: with and without the test images that have a twin elsewhere" in text
    assert "3 of 18 test images are" in text
    # Decoded images tell of equal pixels, too.
    ended = command("run", path, "--out", out, "--dry-run")
    assert "1 image is in another class as well" in ended.out


def test_results_of_images_that_are_all_apart_have_no_such_table(plain_run: object) -> None:
    assert plain_run.results["without_twins"] == {}


@pytest.fixture
def scene67(tmp_path: Path) -> Path:
    """The archive and the lists of MIT-67, with a picture in two classes and in both lists."""
    lists: dict[str, list[str]] = {"Train": [], "Test": []}
    with tarfile.open(tmp_path / "indoorCVPR_09.tar", "w") as tar:
        for label in range(67):
            for number in range(3):
                name = f"room{label:02}/{number}.jpg"
                twin = name in ("room00/2.jpg", "room01/0.jpg")
                colour = (255, 0, 255) if twin else (3 * label, 80 * number, 9)
                buffer = io.BytesIO()
                Image.new("RGB", (16, 16), colour).save(buffer, "JPEG")
                member = tarfile.TarInfo(f"Images/{name}")
                member.size = buffer.tell()
                tar.addfile(member, io.BytesIO(buffer.getvalue()))
                lists["Test" if number == 2 else "Train"].append(name)
    for split, names in lists.items():
        (tmp_path / f"{split}Images.txt").write_text("\n".join(names))
    return tmp_path


def test_a_published_protocol_runs_as_published(
    command: Command, scene67: Path, tmp_path: Path
) -> None:
    source = ('source = "folder"', 'source = "scene67"')
    path = write_study(tmp_path / "tiny.toml", scene67, (DRAWN, "val = 0.5"), source)
    ended = command("run", path, "--out", tmp_path / "out", "--dry-run")
    assert ended.code == 0
    assert "warning: 1 image is of val or test and in an earlier split" in ended.out
    assert "1 image is in another class as well" in ended.out
    assert "they are used as they are; the run lists all in leaks.csv" in ended.out
    study = Study.load(path)
    plan, index = study.prepare()
    bench = Workbench.open(plan, tmp_path / "out", set_up_machine(study.config.runtime))
    sets = prepare_images(bench, index)
    assert {name: len(part) for name, part in sets.items()} == {"train": 67, "val": 67, "test": 67}
    assert {path.name for path in tmp_path.iterdir()} == {
        *("indoorCVPR_09.tar", "TrainImages.txt", "TestImages.txt", "tiny.toml", "out")
    }
    plan, index = Study.load(path, ["data.on_leak=raise"]).prepare()
    with pytest.raises(DataError, match=r"1 image is in another class as well"):
        prepare_images(Workbench.open(plan, tmp_path / "out", bench.machine), index)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        *((name, "warn") for name in ("caltech101", "caltech256", "scene67", "imagenet50")),
        *((name, "raise") for name in ("folder", "manifest", "huggingface")),
    ],
)
def test_only_published_sets_are_used_with_their_twins(source: str, expected: str) -> None:
    assert DataConfig(source=source, path="x").on_leak == expected
    assert DataConfig(source=source, path="x", on_leak="raise").on_leak == "raise"
