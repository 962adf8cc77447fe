"""The command as a user meets it: what it prints, and how it refuses what it cannot use."""

import importlib.metadata
import json
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ended import Command
from finished_runs import Finished, Run, times
from PIL import Image
from small_elpv import cell, with_trees, write_study

from mixqual.artifacts import exclusive
from mixqual.run_status import StageStatus, write_status

CLASSES = ("mono-defective", "mono-functional", "poly-defective", "poly-functional")
QUICK = ("--set", "training.max_epochs=1", "--set", "gate.max_epochs=1")

COMMANDS = (
    *("run", "status", "neurons", "report", "export", "predict"),
    *("evaluate", "cost", "distort", "distortions", "bench"),
)
NETWORKS = ("clean", "noise", "blur", "all", "all_long")

StudyFile = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, cells_folder: Path) -> Path:
    """A copy of the photographs, to be spoiled."""
    return shutil.copytree(cells_folder, tmp_path / "photographs")


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal in which no cell has to be wrapped."""
    monkeypatch.setenv("COLUMNS", "200")


def dry_run(printed: str) -> dict[str, tuple[str, int]]:
    """Stage to its state and its images, as the table of a dry run has them."""
    steps = {}
    for line in printed.replace("│", " ").splitlines():
        found = re.fullmatch(r"\s*(\S.*?)\s+(done|begun|to do)\s+([\d,]+)\s+[\d.]+\s*", line)
        if found and found[1] != "left":  # to do, in all
            title = found[1].removesuffix(" (seed 0)")
            steps[title] = (found[2], int(found[3].replace(",", "")))
    return steps


class TestHelp:
    def test_lists_all_commands(self, command: Command) -> None:
        ended = command("--help")
        assert ended.code == 0
        for name in COMMANDS:
            assert re.search(rf"\b{name}\b", ended.out)

    def test_of_the_version(self, command: Command) -> None:
        ended = command("--version")
        assert (ended.code, ended.out) == (0, f"mixqual {importlib.metadata.version('mixqual')}\n")

    @pytest.mark.parametrize("name", COMMANDS)
    def test_of_each_command(self, command: Command, name: str) -> None:
        ended = command(name, "--help")
        assert ended.code == 0
        assert f"mixqual {name}" in ended.out

    @pytest.mark.parametrize("arguments", [("rum",), ("run",), ("cost", "vgg16"), ("run", "-x")])
    def test_wrong_usage_is_told_with_exit_code_2(
        self, command: Command, arguments: tuple[str, ...]
    ) -> None:
        ended = command(*arguments)
        assert ended.code == 2
        assert "Usage: " in ended.err
        assert "Traceback" not in ended.err

    def test_needs_no_torch(self) -> None:
        """Help is immediate: nothing that takes seconds is imported for it."""
        code = "import sys, mixqual.cli; sys.exit('torch' in sys.modules)"
        assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", code]) == 0

    def test_distortions_are_listed(self, command: Command) -> None:
        ended = command("distortions")
        assert ended.code == 0
        assert "gaussian_noise" in ended.out
        assert "gaussian_blur" in ended.out


class TestRun:
    @pytest.mark.usefixtures("wide")
    def test_dry_run_prints_the_plan_and_writes_nothing(
        self, command: Command, study_file: StudyFile, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        ended = command("run", study_file(), "--out", out, "--dry-run")
        assert ended.code == 0
        assert not out.exists()
        steps = dry_run(ended.out)
        assert list(steps) == [
            "decode images",
            *(f"train {name}" for name in NETWORKS),
            *("sweep of val", "train gate", "sweep of test", "sweep of val by the others"),
        ]
        assert {state for state, _ in steps.values()} == {"to do"}
        images = [count for _, count in steps.values()]
        # Two epochs of 40 training and 16 validation images; twice as many for the longer one.
        # Three experts on 16 images in 1 + 2 * 2 + 2 cells; five networks and the gate on 24 in 5;
        # two baselines and the gate on the 16, too.
        sweeps = (3 * 16 * 7, 6 * 24 * 5, 3 * 16 * 7)
        assert images == [80, 112, 112, 112, 112, 224, sweeps[0], 112, *sweeps[1:]]
        assert f"{sum(images):,}" in ended.out

    def test_reusing_a_run_that_is_not_there_is_refused(
        self, command: Command, study_file: StudyFile, tmp_path: Path
    ) -> None:
        ended = command("run", study_file(), "--out", tmp_path / "out", "--reuse", tmp_path / "no")
        assert ended.code == 2
        assert "no holds no earlier run" in ended.err

    def test_prints_the_table_then_knows_what_is_done(
        self, command: Command, study_file: StudyFile, tmp_path: Path
    ) -> None:
        out, publish = tmp_path / "out", tmp_path / "publish"
        ended = command("run", study_file(), "--out", out, "--publish", publish, *QUICK)
        assert ended.code == 0, ended.err
        for word in ("M_clean", "M_all_long", "M_mix", "Noise AUC", "Average", str(out)):
            assert word in ended.out.replace("\n", "") or word in ended.out
        assert (publish / "results.json").read_bytes() == (out / "results.json").read_bytes()
        assert not list(publish.rglob("*.safetensors"))
        ended = command("run", study_file(), "--out", out, "--dry-run", *QUICK)
        assert len(re.findall(r"train .* done", ended.out)) == 6

    def test_a_dry_run_does_not_look_into_a_store(
        self, command: Command, study_file: StudyFile
    ) -> None:
        ended = command("run", study_file(), "--dry-run", "--store", "memory://never")
        assert ended.refusal() == "--dry-run looks into folders only; leave --store away"

    def test_missing_weights_are_told_before_anything_is_decoded(
        self,
        command: Command,
        study_file: StudyFile,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        from mixqual.study import Study

        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
        out = tmp_path / "out"
        study = study_file(('weights = "random"', 'weights = "default"'))
        ended = command("run", study, "--out", out, "--dry-run")
        assert ended.code == 0
        told = " ".join(ended.out.split())
        assert "weights of timm's test_efficientnet (model.safetensors, from timm/test_" in told
        assert f"are not here: they are fetched first; offline, copy {tmp_path / 'hub'}" in told
        assert "could not be fetched" in command("run", study, "--out", out).refusal()
        assert not list(out.glob("artifacts/*"))
        # Networks that start from others need none.
        for name in Study.load(study).prepare()[0].pretrained:
            (out / "artifacts" / name).mkdir(parents=True)
        assert "not here" not in command("run", study, "--out", out, "--dry-run").out

    @pytest.mark.usefixtures("wide")
    def test_takes_over_an_earlier_run(
        self, command: Command, study_file: StudyFile, tmp_path: Path, plain_run: Run
    ) -> None:
        """Only the branches of a late tree are left to train; the plan says so, and it is done."""
        out = tmp_path / "out"
        study = study_file(with_trees('[sharing]\nuntil = "classifier"\n'))
        ended = command("run", study, "--out", out, "--reuse", plain_run.out, "--dry-run")
        assert ended.code == 0, ended.err
        assert not out.exists()
        assert dry_run(ended.out) == {
            "decode images": ("done", 80),
            **dict.fromkeys((f"train {name}" for name in NETWORKS[:4]), ("done", 112)),
            "train all_long": ("done", 224),
            "sweep of val": ("done", 3 * 16 * 7),
            "train gate": ("done", 112),
            "sweep of test": ("done", 6 * 24 * 5),
            "sweep of val by the others": ("done", 3 * 16 * 7),
            "train noise of tree_classifier": ("to do", 112),
            "train blur of tree_classifier": ("to do", 112),
            "train all_tree_classifier": ("to do", 112),
            "sweep of test by trees": ("to do", 2 * 24 * 5),
            "sweep of val by trees": ("to do", 2 * 16 * 7),
        }
        ended = command("run", study, "--out", out, "--reuse", plain_run.out)
        assert ended.code == 0, ended.err
        assert "tiny: TreeNets" in ended.out
        assert "classifier" in ended.out
        trained = set(re.findall(r"^(\w[^:\n]*) \(seed 0\): ", ended.err, re.MULTILINE))
        assert trained == {
            *("noise of tree_classifier", "blur of tree_classifier", "all_tree_classifier"),
            *("sweep of test by trees", "sweep of val by trees"),
        }
        assert (out / "trees.csv").exists()
        assert times(plain_run.out) == plain_run.times
        ended = command("run", study, "--out", out, "--dry-run")
        assert {state for state, _ in dry_run(ended.out).values()} == {"done"}

    @pytest.mark.usefixtures("wide")
    def test_tells_of_an_earlier_run_half_used(
        self, command: Command, study_file: StudyFile, tmp_path: Path, tree_run: Run
    ) -> None:
        """Of two trees one is there, so that their sweep has begun; with more draws, no weights."""
        study = study_file(with_trees('[sharing]\nuntil = ["blocks.2", "blocks.3"]\n'))
        options = ("--out", tmp_path / "out", "--dry-run", "--reuse")
        steps = dry_run(command("run", study, *options, tree_run.out).out)
        assert steps["train noise of tree_blocks.2"][0] == "done"
        assert steps["train noise of tree_blocks.3"][0] == "to do"
        assert steps["sweep of test by trees"] == ("begun", 4 * 24 * 5)
        assert steps["sweep of val by trees"] == ("begun", 4 * 16 * 7)
        more = ("--set", "evaluation.noise_draws=3")
        steps = dry_run(command("run", tree_run.study, *options, tree_run.out, *more).out)
        assert {title: state for title, (state, _) in steps.items() if state != "done"} == {
            **dict.fromkeys(("sweep of val", "train gate", "sweep of val by the others"), "to do"),
            "sweep of test": "begun",
            "weights of tree_blocks.1_inverted_conv_head_resolved": "to do",
            "train gate of tree_blocks.1_inverted_conv_head_resolved": "to do",
            "weights of tree_blocks.2_resolved": "to do",
            "train gate of tree_blocks.2_resolved": "to do",
            "sweep of test by trees": "begun",
            "sweep of val by trees": "to do",
        }

    def test_puts_runs_where_it_says(
        self,
        command: Command,
        study_file: StudyFile,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert command("run", study_file(), *QUICK).code == 0
        assert (tmp_path / "runs" / "tiny" / "results.json").exists()


class TestRefusedStudies:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ([("size = 32", "sise = 32")], "data.sise: unknown key"),
            ([("size = 32", 'size = "large"')], "data.size: .*but it is 'large'"),
            ([("size = 32", "size = 8")], "data.size: .*16, but it is 8"),
            ([("[experts.clean]", "[expert.clean]")], "expert: unknown key"),
            ([("max = 10.0", "max = -1.0")], "distortions.gaussian_blur.max: .*but it is -1"),
            ([("max = 10.0", "max = nan")], "distortions.gaussian_blur.max: "),
            (
                [("max = 10.0", "max = 1e4")],
                "distortions.gaussian_blur.max = 10000 is out of range",
            ),
            ([("steps = 2", "steps = 0")], "distortions.gaussian_noise.steps: "),
            ([("gaussian_blur", "gaussian_blurr")], "distortions.gaussian_blurr: unknown dist"),
            (
                [("gaussian_noise = 0.5", "gaussian_noise = 1.5")],
                "experts.noise.distort.gaussian_n",
            ),
            ([("gaussian_noise = 0.5", "fog = 0.5")], "experts.noise.distort names 'fog'"),
            ([("lr = 0.01", "lr = 0")], "training.lr: "),
            (
                [("batch_size = 8", "batch_size = 64")],
                "40 training images do not fill a batch of 64",
            ),
            ([('device = "cpu"', 'device = "tpu"')], "runtime.device: 'tpu' is not"),
            ([('device = "cpu"', 'device = "cuda:9"')], "runtime.device: 'cuda:9' is not there"),
            (
                [("timm/test_efficientnet", "timm/resnet1x")],
                "backbone 'timm/resnet1x' is known to ne",
            ),
            ([('"random"', '"packaged"')], 'backbone.weights = "packaged" fits tf_efficientnet'),
            ([('"random"', '"gone.pth"')], "backbone.weights: 'gone.pth' is no file"),
            ([('"tiny"', '"a/b"')], "name: .*but it is 'a/b'"),
            ([("train = 10", "train = 18")], "20 .*images"),
            ([with_trees('[sharing]\nuntil = "fc6"')], "has no branch point 'fc6'; it has blocks"),
            (
                [with_trees('[sharing]\nfrom = ["blocks.2", "blocks.2"]')],
                "sharing: 'inverted_blocks.2' would be the name of two networks",
            ),
            ([with_trees("[sharing]")], "sharing.0: name the stage"),
            (
                [
                    with_trees('[sharing]\nuntil = "fc6"'),
                    ("timm/test_efficientnet", "timm/ghostnet_050"),
                ],
                "timm/ghostnet_050 cannot be cut into stages: it does other operations",
            ),
        ],
        ids=lambda value: value[:40] if isinstance(value, str) else "",
    )
    def test_name_the_field_and_the_value(
        self,
        command: Command,
        study_file: StudyFile,
        tmp_path: Path,
        changes: list[tuple[str, str]],
        message: str,
    ) -> None:
        ended = command("run", study_file(*changes), "--out", tmp_path / "out")
        assert re.search(message, ended.refusal()), ended.err

    def test_missing(self, command: Command, tmp_path: Path) -> None:
        ended = command("run", tmp_path / "none.toml")
        assert ended.refusal() == f"{tmp_path / 'none.toml'}: no such study file"

    def test_not_toml(self, command: Command, tmp_path: Path) -> None:
        (tmp_path / "bad.toml").write_text("[data\n")
        assert "bad.toml: not valid TOML" in command("run", tmp_path / "bad.toml").refusal()

    def test_name_the_file(self, command: Command, study_file: StudyFile) -> None:
        path = study_file(("size = 32", "sise = 32"))
        assert command("run", path).refusal().startswith(f"{path}: ")

    def test_wrong_overrides(self, command: Command, study_file: StudyFile) -> None:
        refused = command("run", study_file(), "--set", "data.size=big").refusal()
        assert re.search(r"data\.size: .*'big'", refused)
        refused = command("run", study_file(), "--set", "data.size").refusal()
        assert "write key=value" in refused


class TestRefusedImages:
    def test_missing_folder(self, command: Command, study_file: StudyFile, tmp_path: Path) -> None:
        path = tmp_path / "none"
        ended = command("run", study_file(folder=path), "--out", tmp_path / "out")
        assert ended.refusal() == f"data.path = {str(path)!r}: no such folder"

    def test_one_class(
        self, command: Command, study_file: StudyFile, tmp_path: Path, folder: Path
    ) -> None:
        for name in CLASSES[1:]:
            shutil.rmtree(folder / name)
        ended = command("run", study_file(folder=folder), "--out", tmp_path / "out")
        assert "holds a single class, 'mono-defective'" in ended.refusal()

    def test_a_class_with_too_few_images(
        self, command: Command, study_file: StudyFile, tmp_path: Path, folder: Path
    ) -> None:
        for number in range(2, 20):
            (folder / CLASSES[2] / f"{number:03d}.png").unlink()
        ended = command("run", study_file(folder=folder), "--out", tmp_path / "out")
        assert re.search(r"'poly-defective' .*\b2\b", ended.refusal()), ended.err

    def test_unreadable_images_stop_the_run_or_are_left_out(
        self, command: Command, study_file: StudyFile, tmp_path: Path, folder: Path
    ) -> None:
        """Files that are empty, cut short, and no image at all."""
        bad = [folder / CLASSES[label] / "000.jpg" for label in range(3)]
        for path in bad:
            path.with_suffix(".png").unlink()
        bad[0].write_bytes(b"")
        Image.fromarray(cell(0, 0, 200)).save(bad[1], quality=95)
        bad[1].write_bytes(bad[1].read_bytes()[:700])
        bad[2].write_text("these are words\n" * 20)
        out = tmp_path / "out"
        refused = command("run", study_file(folder=folder), "--out", out).refusal()
        assert refused.startswith("3 of 80 images cannot be read")
        assert 'data.on_error = "skip"' in refused
        for path in bad:
            assert f"\n  {path}: " in refused
        ended = command(
            *("run", study_file(folder=folder), "--out", out, *QUICK),
            *("--set", "data.on_error=skip", "--set", "split.val=3"),
        )
        assert ended.code == 0, ended.err
        results = json.loads((out / "results.json").read_text())
        assert results["provenance"]["left_out"] == 3
        assert {file["id"] for file in results["left_out"]} == {
            f"{name}/000.jpg" for name in CLASSES[:3]
        }

    def test_odd_but_sound_images_are_used(
        self, command: Command, study_file: StudyFile, tmp_path: Path, folder: Path
    ) -> None:
        """CMYK, 16 bits, a palette, transparency, and a camera that was held on its side."""
        gray = Image.fromarray(cell(0, 0, 60))
        place = folder / CLASSES[0]
        exif = Image.Exif()
        exif[0x0112] = 6
        for number in range(5):
            (place / f"{number:03d}.png").unlink()
        gray.convert("CMYK").save(place / "000.jpg")
        Image.fromarray(cell(0, 0, 60).astype(np.uint16) * 257).save(place / "001.png")
        gray.convert("RGB").quantize(16).save(place / "002.png")
        gray.convert("RGBA").save(place / "003.png")
        gray.save(place / "004.jpg", exif=exif)
        out = tmp_path / "out"
        ended = command("run", study_file(folder=folder), "--out", out, *QUICK)
        assert ended.code == 0, ended.err
        origin = json.loads((out / "results.json").read_text())["provenance"]
        assert (origin["left_out"], sum(origin["images"].values())) == (0, 80)
        (pixels,) = out.glob("artifacts/images-*/images.npy")
        images_NHWC = np.load(pixels)
        assert images_NHWC.shape == (80, 32, 32, 3)
        # All five are the same cell, but for JPEG's loss, 16 colours and the quarter turn.
        upright = images_NHWC[1].astype(int)
        for number in (0, 2, 3):
            assert np.abs(images_NHWC[number] - upright).mean() < 8
        assert np.abs(images_NHWC[4] - np.rot90(upright, -1)).mean() < 10


class TestRefusedPlaces:
    @pytest.mark.parametrize("place", ["file", "file/below", "/proc/none", "/sys/none"])
    def test_cannot_be_written(
        self, command: Command, study_file: StudyFile, tmp_path: Path, place: str
    ) -> None:
        (tmp_path / "file").write_text("in the way")
        ended = command("run", study_file(), "--out", tmp_path / place)
        assert "choose another" in ended.refusal()

    @pytest.mark.parametrize("option", ["--out", "--publish"])
    @pytest.mark.parametrize("dry", [["--dry-run"], []])
    @pytest.mark.parametrize(
        ("name", "kind"),
        [("", "file"), ("figures", "file"), ("results.json", "folder"), ("report.html", "folder")],
    )
    def test_are_told_before_any_work(
        self,
        command: Command,
        finished: Finished,
        tmp_path: Path,
        option: str,
        dry: list[str],
        name: str,
        kind: str,
    ) -> None:
        in_the_way = tmp_path / "place" / name
        in_the_way.parent.mkdir(exist_ok=True)
        in_the_way.mkdir(parents=True) if kind == "folder" else in_the_way.write_text("mine")
        other = ["--out", tmp_path / "other"] if option == "--publish" else []
        ended = command("run", finished[0], option, tmp_path / "place", *other, *dry)
        assert str(in_the_way) in ended.refusal()
        assert "images" not in ended.err, "images were listed before"
        assert not (tmp_path / "other").exists()

    @pytest.mark.parametrize(
        ("name", "kind"), [(".lock", "folder"), ("artifacts", "file"), (".locks", "file")]
    )
    @pytest.mark.parametrize("dry", [["--dry-run"], []])
    def test_have_something_else_where_a_run_keeps_its_own(
        self,
        command: Command,
        finished: Finished,
        tmp_path: Path,
        name: str,
        kind: str,
        dry: list[str],
    ) -> None:
        (tmp_path / name).mkdir() if kind == "folder" else (tmp_path / name).write_text("mine")
        refusal = command("run", finished[0], "--out", tmp_path, *dry).refusal()
        assert str(tmp_path / name) in refusal
        assert "move it away, or choose another place" in refusal

    def test_of_a_report_are_told_before_its_tables(
        self, command: Command, finished: Finished, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("mine")
        for runs in ([finished[1]], [finished[1], finished[1]]):
            refusal = command("report", *runs, "--out", tmp_path / "file").refusal()
            assert "is no folder; move it away" in refusal
        assert (tmp_path / "file").read_text() == "mine"

    @pytest.mark.parametrize("option", ["--csv", "--figure"])
    def test_of_an_evaluation_are_told_before_it(
        self, command: Command, tmp_path: Path, option: str
    ) -> None:
        (tmp_path / "a.svg").mkdir()
        refusal = command("evaluate", "no-model", "--data", tmp_path, option, tmp_path / "a.svg")
        assert "is a folder, where a file belongs" in refusal.refusal()

    @pytest.mark.parametrize(
        "settings",
        [
            ["--set", f'name="{"a" * 300}"'],
            ["--set", f'backbone.weights="{"a" * 300}.pth"'],
            ["--out", "a" * 300],
            ["--set", f"x={'[' * 5000}{']' * 5000}"],
            ["--set", f"{'.'.join(['a'] * 5000)}=1"],
            ["--set", 'runtime.device="meta"'],
            ["--set", f"evaluation.bootstrap={10**11}"],
            ["--set", f"distortions.gaussian_blur.steps={10**6}"],
        ],
    )
    def test_and_settings_past_all_bounds_end_a_dry_run_in_one_line(
        self,
        command: Command,
        finished: Finished,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        settings: list[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        refusal = command("run", finished[0], "--dry-run", *settings).refusal()
        assert "\n" not in refusal
        assert len(refusal) < 700

    def test_a_study_file_nested_without_end(self, command: Command, tmp_path: Path) -> None:
        for text in (f"x = {'[' * 5000}{']' * 5000}", f"[{'.'.join(['a'] * 5000)}]"):
            (tmp_path / "deep.toml").write_text(text)
            assert "over 50 deep" in command("run", tmp_path / "deep.toml").refusal()

    @pytest.mark.parametrize(
        "full",
        [
            "artifacts/images-{images}.partial/images.npy",
            "artifacts/images-{images}.partial/.images.json.{pid}.tmp",
            "artifacts/split-{split}.partial/.splits.csv.{pid}.tmp",
            ".results.json.{pid}.tmp",
        ],
    )
    def test_a_full_disk(
        self, command: Command, study_file: StudyFile, tmp_path: Path, full: str
    ) -> None:
        """One file of the run lies on a device that is always full, and has to be written."""
        from mixqual.study import Study

        study = study_file(("max_epochs = 2", "max_epochs = 1"))
        plan, _ = Study.load(study).prepare()
        path = (
            tmp_path
            / "out"
            / full.format(
                images=plan.images_key,
                split=plan.split_key,
                pid=os.getpid(),
            )
        )
        path.parent.mkdir(parents=True)
        path.symlink_to("/dev/full")
        ended = command("run", study, "--out", tmp_path / "out")
        assert "the disk is full; free some space" in ended.refusal()
        assert str(tmp_path / "out") in ended.err
        assert not (tmp_path / "out" / "results.json").exists()


class TestCost:
    """The command; its numbers are tested where they are made."""

    TINY = ("cost", "timm/test_efficientnet", "--classes", "4", "--size", "32")

    def test_of_vgg16_is_the_paper_s(self, command: Command) -> None:
        ended = command("cost", "vgg16", "--classes", "101,256,67", "--json")
        assert ended.code == 0
        assert ended.err == ""
        rows: list[dict[str, Any]] = json.loads(ended.out)
        single = next(row for row in rows if row["variant"] == "single")
        mixture = next(row for row in rows if row["variant"] == "independent")
        assert round(single["params"] / 1e6, 3) == 134.840
        assert round(mixture["params"] / 1e6, 3) == 404.617
        assert round(single["macs"] / 1e9, 2) == 15.47
        assert round((mixture["macs"] - 3 * single["macs"]) / 1e9, 3) == 0.174
        points = [row["branch"] for row in rows if row["variant"] == "treenet"]
        assert points == [row["branch"] for row in rows if row["variant"] == "inverted"]
        assert {"conv2_1", "conv4_1", "fc6", "fc8"} <= set(points)

    @pytest.mark.usefixtures("wide")
    def test_table_is_what_json_says(self, command: Command) -> None:
        rows = json.loads(command(*self.TINY, "--json").out)
        ended = command(*self.TINY)
        assert (ended.code, ended.err) == (0, "")
        assert "timm/test_efficientnet at 32 pixels, 4 classes, 3 experts" in ended.out
        titles = {
            "single": "one network",
            "independent": "mixture, nothing shared",
            "treenet": "TreeNet",
            "inverted": "Inverted-TreeNet",
        }
        lines = [" ".join(line.split()) for line in ended.out.splitlines()]
        for row in rows:
            numbers = (row["params"] / 1e6, row["macs"] / 1e9)
            cells = [titles[row["variant"]], row["branch"], *(f"{n:.3f}" for n in numbers)]
            cells.append(f"{row['macs'] / rows[0]['macs']:.2f}")
            assert " ".join(cell for cell in cells if cell) in lines
        assert "Latency" not in ended.out
        assert not any("latency_ms" in row for row in rows)

    def test_counts_the_experts_it_is_told(self, command: Command) -> None:
        (three, five) = (
            json.loads(command(*self.TINY, "--json", *more).out) for more in ((), ("--experts", 5))
        )
        single, gates = three[0]["params"], 2 * 17  # two more outputs of the gate
        assert five[1]["params"] - three[1]["params"] == 2 * single + gates

    def test_counts_the_gate_it_is_told(self, command: Command) -> None:
        paper, patch = (
            json.loads(command(*self.TINY, "--json", "--gate", kind).out)
            for kind in ("paper", "patch")
        )
        assert patch[0] == paper[0]
        assert {a["params"] - b["params"] for a, b in zip(paper[1:], patch[1:], strict=True)} == {
            98_531 - 24_675
        }
        assert "3 experts, gate patch" in command(*self.TINY, "--gate", "patch").out
        refused = command(*self.TINY, "--gate", "none")
        assert refused.code == 2
        assert "there is no gate 'none'; there are paper, patch" in refused.err

    def test_latency_is_measured_on_request(self, command: Command) -> None:
        ended = command(*self.TINY, "--latency", "--batch", 2, "--json")
        assert ended.code == 0, ended.err
        assert all(row["latency_ms"] > 0 for row in json.loads(ended.out))
        ended = command(*self.TINY, "--latency")
        assert ended.code == 0, ended.err
        assert "Latency" in ended.out

    @pytest.mark.parametrize("as_json", [False, True])
    def test_tells_why_there_are_no_trees(self, command: Command, as_json: bool) -> None:
        options = ("--classes", "4", "--size", "64", *(["--json"] * as_json))
        ended = command("cost", "timm/ghostnet_050", *options)
        assert ended.code == 0
        assert ended.err == (
            "no trees: timm/ghostnet_050 cannot be cut into stages: it does other operations in "
            "training than in inference\n"
        )
        if as_json:
            assert [row["variant"] for row in json.loads(ended.out)] == ["single", "independent"]
        else:
            assert "mixture, nothing shared" in ended.out
            assert not re.search(r"^ (Inverted-)?TreeNet ", ended.out, re.MULTILINE)

    @pytest.mark.parametrize("classes", ["many", "0", "4,", "4,-1", " "])
    def test_of_no_number_of_classes(self, command: Command, classes: str) -> None:
        refused = command("cost", "timm/test_efficientnet", "--classes", classes).refusal()
        assert refused.startswith(f"--classes {classes}: write a number")

    def test_of_an_unknown_backbone(self, command: Command) -> None:
        refused = command("cost", "vgg61", "--classes", "4").refusal()
        assert "backbone 'vgg61' is known to neither" in refused


class TestDistort:
    def test_writes_and_counts(self, command: Command, tmp_path: Path, cells_folder: Path) -> None:
        ended = command(
            *("distort", cells_folder / CLASSES[0], tmp_path / "out"),
            *("--distortion", "gaussian_blur=2", "--distortion", "gaussian_noise=10"),
        )
        assert ended.code == 0
        assert ended.out == f"20 images written to {tmp_path / 'out'}\n"

    def test_tells_what_it_left_out(self, command: Command, tmp_path: Path, folder: Path) -> None:
        (folder / "bad.png").write_bytes(b"no image")
        ended = command("distort", folder, tmp_path / "o", "--distortion", "gaussian_blur=2")
        assert ended.code == 1
        assert ended.out.startswith("80 images written")
        assert f"left out: {folder / 'bad.png'}: " in ended.err

    @pytest.mark.parametrize(
        ("step", "message"),
        [
            ("gaussian_blur=-1", "gaussian_blur: level -1 "),
            ("gaussian_blur=1001", "gaussian_blur: level 1001 .* outside 0...1000 pixels"),
            ("gaussian_blur=nan", "gaussian_blur: level nan "),
            ("fogg=1", "unknown distortion 'fogg'; known are brightness, contrast, "),
            ("gaussian_blur", "write name=level"),
            ("gaussian_blur=much", "write name=level"),
        ],
    )
    def test_refuses(
        self, command: Command, tmp_path: Path, cells_folder: Path, step: str, message: str
    ) -> None:
        ended = command("distort", cells_folder, tmp_path / "out", "--distortion", step)
        assert re.search(message, ended.refusal()), ended.err


class TestEvaluate:
    def test_refuses(self, command: Command, cells_folder: Path, tmp_path: Path) -> None:
        def refused(model: str, *options: str, data: Path = cells_folder) -> str:
            return command("evaluate", model, "--data", data, *options).refusal()

        tiny = "timm/test_efficientnet"
        assert "'resnet1x' is known to neither" in refused("resnet1x")
        assert "no such folder" in refused(tiny, data=tmp_path / "none")
        assert "cannot be imported" in refused("no_such_module:predict")
        assert "size: " in refused(tiny, "--size", "8")
        assert "distortion gaussian_noise: steps: " in refused(tiny, "--steps", "0")
        assert "max: " in refused(tiny, "--distortion", "gaussian_blur=-1")
        assert "is out of range" in refused(tiny, "--distortion", "gaussian_blur=1001")
        assert "unknown distortion 'fogg'" in refused(tiny, "--distortion", "fogg=1")
        assert "'gone.pth' is no file" in refused(tiny, "--weights", "gone.pth")
        message = refused(tiny, "--weights", "random", "--size", "32")
        assert "folder 'mono-defective' is not named by a WordNet id" in message

    def test_says_that_weights_cannot_be_fetched(
        self, command: Command, cells_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        ended = command("evaluate", "timm/test_efficientnet", "--data", cells_folder)
        assert "could not be fetched" in ended.refusal()
        assert "set backbone.weights to a local" in ended.err


class TestCluster:
    """What needs no cluster; studies on one are in test_ray_executor.py."""

    def test_an_address_without_ray_is_refused(self, command: Command, tmp_path: Path) -> None:
        study = write_study(tmp_path / "tiny.toml", tmp_path)
        ended = command("run", study, "--address", "auto")
        assert ended.refusal() == "--address is that of a Ray cluster; add --executor ray"

    def test_ray_is_named_with_its_extra_if_it_is_lacking(
        self, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "ray", None)
        monkeypatch.delitem(sys.modules, "mixqual.ray_executor", raising=False)
        study = write_study(tmp_path / "tiny.toml", tmp_path)
        assert (
            'pip install "mixqual[cluster]"' in command("run", study, "--executor", "ray").refusal()
        )

    @pytest.fixture
    def begun(self, tmp_path: Path) -> Path:
        """The folder of a run of which a stage is done, one runs, and one has failed."""
        began = time.time() - 42
        stages = [
            StageStatus("train clean", "network", "done", 60.0, 1),
            StageStatus("train noise", "network", "running", None, 1, started=began),
            StageStatus("train blur", "network", "failed", 3.0, 4, "OSError: gone"),
            StageStatus("solve weights", "weights", "blocked"),
        ]
        write_status(tmp_path, stages)
        return tmp_path

    COUNTS = "1 of 4 stages done, 1 running, 1 failed, 1 that need a failed one"
    FAILED = "failed: train blur: OSError: gone"

    def test_status_says_what_runs_and_why_something_does_not(
        self, command: Command, begun: Path
    ) -> None:
        with exclusive(begun):
            counts, left, running, failed = command("status", begun).out.splitlines()
        assert (counts, failed) == (self.COUNTS, self.FAILED)
        assert re.fullmatch(r"time left: about 0:00:1[5-8]", left)
        assert re.fullmatch(r"running: train noise, for 0:00:4[2-5]", running)
        alone = command("status", begun).out.splitlines()
        assert alone == [self.COUNTS, "no process leads it; run it again to go on", self.FAILED]

    def test_status_of_a_run_with_nothing_done_names_no_time(
        self, command: Command, tmp_path: Path
    ) -> None:
        write_status(tmp_path, [StageStatus("train clean", "network", "running", started=1.0)])
        with exclusive(tmp_path):
            lines = command("status", tmp_path).out.splitlines()
        assert lines[:2] == [
            "0 of 1 stages done, 1 running",
            "time left: known when the first stage is done",
        ]

    def test_status_of_a_run_that_sums_up_says_so(self, command: Command, tmp_path: Path) -> None:
        write_status(tmp_path, [StageStatus("train clean", "network", "done", 1.0, 1)])
        with exclusive(tmp_path):
            lines = command("status", tmp_path).out.splitlines()
        assert lines == [
            "1 of 1 stages done",
            "all stages are done; the results are being made of them",
        ]

    def test_status_watches_until_nobody_leads(
        self, command: Command, begun: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("mixqual.cli.studies._LINES_EVERY", 0.05)
        held = exclusive(begun)
        held.__enter__()
        ends = threading.Timer(1.0, held.__exit__, (None, None, None))
        ends.start()
        text = command("status", begun, "--watch").out
        ends.join()
        looks = text.split(self.COUNTS)[1:]
        assert len(looks) > 2
        assert all("time left: about" in look for look in looks[:-1])
        assert "no process leads it" in looks[-1]

    def test_status_refuses_a_folder_without_one(self, command: Command, tmp_path: Path) -> None:
        assert f"{tmp_path} has no status.json" in command("status", tmp_path).refusal()


def test_bench_refuses_an_unknown_name(command: Command) -> None:
    refused = command("bench", "speed").refusal()
    assert refused == (
        "unknown benchmark 'speed'; there are artifacts, backbones, cluster, decode, device, "
        "distortions, epoch, executor, forward, indexing, memory, mixture, recipe, scaling, "
        "service, startup, sweep, training, tree_sweep, trees"
    )
