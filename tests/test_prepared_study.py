"""What a study plans for grayscale images: one noise for all channels, under keys of their own."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from ended import Command
from PIL import Image
from small_elpv import cell_set, with_trees, write_cells, write_study
from torch import Tensor

from mixqual.errors import StudyError
from mixqual.evaluation import distort_cell
from mixqual.plan import Plan
from mixqual.study import Study
from mixqual.training.augmentation import Augmentation
from mixqual.training.task import Task, batches, prepared
from mixqual.tree_plan import trees_of

NETWORKS = ("clean", "noise", "blur", "all", "all_long")
OF_COLOURS = {
    "images": "1aa355bd95e72917",
    "split": "ce5fb71f6cab8513",
    "clean": "47ea4c989c6ab4da",
    "noise": "ebc00292b947cc00",
    "blur": "206019dc0db189b8",
    "all": "df7ea96a98a49030",
    "all_long": "08512d71a3c55409",
    "val": "outputs-d367d78285fa65c7.zarr",
    "test": "outputs-7d4948e489a78951.zarr",
    "weights": "832031b39cb5af86",
    "gate": "edb4bd3cff645dd7",
}
"""The keys of the tiny study on images "f00d" before there was a choice of noise."""
OF_NOISE = {"noise", "all", "all_long", "val", "test", "weights", "gate"}


def keys(plan: Plan) -> dict[str, str]:
    """The keys of the first seed, as if the images were "f00d"."""
    plan = replace(plan, images_fingerprint="f00d")
    return {
        "images": plan.images_key,
        "split": plan.split_key,
        **{name: plan.network_key(name, 0) for name in NETWORKS},
        "val": plan.outputs_folder("noise", "val", 0),
        "test": plan.outputs_folder("noise", "test", 0),
        "weights": plan.weights_key(0),
        "gate": plan.gate_key(0),
    }


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """Two grayscale files in each of four classes."""
    return write_cells(tmp_path / "cells", 2)


Prepare = Callable[..., Plan]


@pytest.fixture
def prepare(tmp_path: Path, cells: Path) -> Prepare:
    """The plan of the tiny study on these files, with settings and its text changed."""

    def plan(*settings: str, changes: tuple[tuple[str, str], ...] = ()) -> Plan:
        path = write_study(tmp_path / "tiny.toml", cells, *changes)
        return Study.load(path, settings).prepare()[0]

    return plan


def colour_one(cells: Path) -> None:
    """Make one of the files an image in colour, of gray pixels."""
    path = sorted(cells.rglob("*.png"))[-1]
    with Image.open(path) as image:
        image.convert("RGB").save(path)


def test_one_file_in_colour_leaves_all_keys_as_they_were(prepare: Prepare, cells: Path) -> None:
    colour_one(cells)
    assert keys(prepare()) == OF_COLOURS


def test_independent_noise_leaves_all_keys_as_they_were(prepare: Prepare) -> None:
    assert keys(prepare('data.grayscale_noise="independent"')) == OF_COLOURS


def test_gray_noise_has_the_keys_of_the_option_gray(prepare: Prepare) -> None:
    found = keys(prepare())
    assert {name for name in found if found[name] != OF_COLOURS[name]} == OF_NOISE
    said = 'data.grayscale_noise="independent"', "distortions.gaussian_noise.options={gray=true}"
    assert keys(prepare(*said)) == found


def test_what_a_table_says_of_gray_has_the_last_word(prepare: Prepare) -> None:
    plan = prepare("distortions.gaussian_noise.options={gray=false}")
    assert plan.distortions["gaussian_noise"].gray is False


def test_trees_have_keys_of_their_own_too(prepare: Prepare) -> None:
    gray, independent = (
        prepare(*settings, changes=(with_trees(),))
        for settings in ((), ('data.grayscale_noise="independent"',))
    )
    for one, other in zip(trees_of(gray), trees_of(independent), strict=True):
        assert one.branch_key("noise", 0) != other.branch_key("noise", 0)
        assert one.branch_key("blur", 0) == other.branch_key("blur", 0)
        assert one.outputs_folder("test", 0) != other.outputs_folder("test", 0)


def test_an_unknown_noise_is_refused(prepare: Prepare) -> None:
    with pytest.raises(StudyError, match=r"data\.grayscale_noise.*'sensor' or 'independent'.*pink"):
        prepare("data.grayscale_noise=pink")


def test_unknown_distortions_are_refused(prepare: Prepare) -> None:
    change = ("[distortions.gaussian_noise]\n", '[distortions.gaussian_noise]\nkind = "nois"\n')
    with pytest.raises(StudyError, match=r"distortions\.gaussian_noise: unknown distortion 'nois'"):
        prepare(changes=(change,))


def channels_differ(images_BCHW: Tensor) -> list[bool]:
    return [
        not torch.equal(image_CHW, image_CHW[:1].expand(3, -1, -1)) for image_CHW in images_BCHW
    ]


@pytest.mark.parametrize("noise", ["sensor", "independent"])
def test_noise_of_training_and_of_sweeps_is_the_one_of_the_setting(
    prepare: Prepare, noise: str
) -> None:
    plan = prepare(f"data.grayscale_noise={noise}")
    images = cell_set(4)
    fractions = plan.config.baselines["all"].distort
    task = Task(
        title="all",
        train=images,
        val=images,
        schedule=plan.schedule(fractions),
        distortions={kind: plan.distortions[kind] for kind in fractions},
        targets=lambda labels_B, _: labels_B,
        losses=torch.nn.functional.cross_entropy,
        seed=0,
        val_seed=0,
        augmentation=Augmentation(True, True, True, crop_scale=0.3),
    )
    seen = []
    for batch in batches(task, 8, 0, 0):
        shown_BCHW, _ = prepared(task, images, batch, torch.device("cpu"))
        clean_BCHW, _ = images.batch(batch.positions_B)
        noisy_B = batch.assignment.kinds_B == list(fractions).index("gaussian_noise")
        assert not torch.equal(shown_BCHW[noisy_B], clean_BCHW[noisy_B])
        seen += channels_differ(shown_BCHW[noisy_B])
    assert seen == [noise == "independent"] * 4

    images_BCHW, _ = images.batch(range(3))
    for cell in plan.test_cells:
        shown_BCHW = distort_cell(images_BCHW, cell, plan.distortions, seed=1)
        independent = cell.distortion == "gaussian_noise" and noise == "independent"
        assert channels_differ(shown_BCHW) == [independent] * 3


def test_python_code_is_named_before_it_is_imported(
    command: Command, cells_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import sys; print('imported', file=sys.stderr)\ndef haze(images, levels): return images\n"
    )
    (tmp_path / "foreign_code.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    own = '[distortions.gaussian_blur]\nkind = "foreign_code:haze"'
    study = write_study(tmp_path / "t.toml", cells_folder, ("[distortions.gaussian_blur]", own))
    ended = command("run", study, "--dry-run")
    said = [line for line in ended.err.splitlines() if "import" in line]
    assert said == [
        "importing Python code that the study names: foreign_code:haze",
        "imported",
    ]


@pytest.mark.parametrize("name", ["x" * 201, "y" * 250])
def test_a_class_whose_name_no_export_holds_is_refused(
    command: Command, cells_folder: Path, tmp_path: Path, name: str
) -> None:
    folder = shutil.copytree(cells_folder, tmp_path / "cells")
    next(folder.iterdir()).rename(folder / name)
    refusal = command("run", write_study(tmp_path / "t.toml", folder), "--dry-run").refusal()
    assert f"{len(name)} characters; names of classes have 1 to 200" in refusal
