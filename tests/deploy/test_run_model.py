"""What a run gives away: any of its models, whatever its experts are called, answers as it did."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from ended import Command
from finished_runs import Run, run_study_file
from numpy.typing import NDArray
from small_elpv import with_trees, write_study
from torch import Tensor
from trees_by_hand import Opened, distorted, open_run, saved, whole_network

import mixqual
from mixqual.deploy import Prediction, Predictor
from mixqual.deploy.export import Exported
from mixqual.deploy.onnx_runner import OnnxRunner
from mixqual.errors import BundleError
from mixqual.evaluation import OutputArray, with_temperature
from mixqual.finished_run import FinishedRun
from mixqual.fusion import mix
from mixqual.networks import Classifier, build_classifier
from mixqual.split_sweep import sweep_split

CONTROL = "all_tree_blocks.2"


@pytest.fixture(scope="module")
def opened(tree_run: Run) -> Opened:
    return open_run(tree_run.study, tree_run.out)


@pytest.fixture(scope="module")
def sharp_run(tmp_path_factory: pytest.TempPathFactory, cells_folder: Path, tree_run: Run) -> Run:
    folder = tmp_path_factory.mktemp("sharp")
    study = write_study(
        folder / "tiny.toml",
        cells_folder,
        ("[experts.clean]\n", ""),
        ("[experts.blur]", "[experts.sharp]\n\n[experts.blur]"),
        with_trees('[[sharing]]\nuntil = "blocks.2"\n'),
    )
    return run_study_file(study, folder / "out", tree_run.out)


def told_of(run: Run, model: str) -> dict[str, Any]:
    """What the results say of the verdicts of a model."""
    (row,) = (row for row in run.results["trust"] if row["model"] == model)
    return row


def shown(opened: Opened) -> list[Tensor]:
    """Clean, noisy and blurred test images, in bytes."""
    cells = opened.bench.plan.test_cells
    return [distorted(opened, "test", cells[n]).round().clamp(0, 255) for n in (0, 2, -1)]


def probabilities(found: list[Prediction]) -> NDArray[np.float64]:
    return np.array([list(each.probabilities.values()) for each in found])


def trained(opened: Opened, name: str) -> Classifier:
    """A network as its training left it."""
    plan = opened.bench.plan
    network = build_classifier(plan.config.backbone, 4, seed=99).eval()
    network.load_state_dict(saved(opened, "network", plan.network_key(name, 0)))
    return network


def by_hand(network: Classifier, temperature: float, images_BCHW: Tensor) -> NDArray[np.float64]:
    with torch.inference_mode():
        p_BK: NDArray[np.float64] = (network(images_BCHW) / temperature).softmax(1).numpy()
    return p_BK


def copied(run: Run, folder: Path, changes: dict[str, Any], *without: str) -> Path:
    """A run with other results, on the same networks."""
    folder.mkdir()
    (folder / "artifacts").symlink_to(run.out / "artifacts")
    kept = {key: value for key, value in run.results.items() if key not in without}
    (folder / "results.json").write_text(json.dumps(kept | changes))
    return folder


class TestASingleNetwork:
    @pytest.mark.parametrize("name", ["clean", "noise", "all"])
    def test_answers_like_the_trained_one_at_its_temperature(
        self, tree_run: Run, opened: Opened, tmp_path: Path, name: str
    ) -> None:
        path = mixqual.export(tree_run.out, tmp_path / "one.mixqual", model=name).path
        predictor, told = mixqual.load(path), told_of(tree_run, name)
        assert not predictor.manifest.is_mixture
        network = trained(opened, name)
        for images_BCHW in shown(opened):
            found = predictor.predict_pixels(images_BCHW)
            expected_BK = by_hand(network, told["temperature"], images_BCHW)
            np.testing.assert_allclose(probabilities(found), expected_BK, atol=1e-4)
            for each, sure in zip(found, expected_BK.max(1), strict=True):
                assert (each.weights, each.distortion, each.experts_run) == (None, None, (name,))
                if min(abs(sure - told["usable"]), abs(sure - told["retake"])) > 1e-4:
                    usable, retake = sure >= told["usable"], sure < told["retake"]
                    expected = "usable" if usable else "retake" if retake else "doubtful"
                    assert each.verdict == expected
        assert predictor.predict_experts(shown(opened)[0]) is None

    @pytest.mark.slow
    def test_answers_so_from_onnx_and_as_a_program_of_torch(
        self,
        tree_run: Run,
        opened: Opened,
        in_onnx: Callable[[str], Exported],
        tmp_path: Path,
    ) -> None:
        told, network = told_of(tree_run, "all"), trained(opened, "all")
        exported = in_onnx("all")
        in_parts = mixqual.load(exported.path)
        whole = Predictor(in_parts.manifest, OnnxRunner(exported.path.read_bytes(), "cpu"))
        program = torch.export.load(
            mixqual.export(tree_run.out, tmp_path / "one.pt2", model="all").path
        ).module()
        for images_BCHW in shown(opened):
            expected_BK = by_hand(network, told["temperature"], images_BCHW)
            for predictor in (in_parts, whole):
                for count in (1, len(images_BCHW)):
                    found = predictor.predict_pixels(images_BCHW[:count])
                    np.testing.assert_allclose(probabilities(found), expected_BK[:count], atol=1e-4)
            p_BK, weights_B1 = program(images_BCHW.to(torch.uint8))
            np.testing.assert_allclose(p_BK.detach().numpy(), expected_BK, atol=1e-4)
            assert weights_B1.tolist() == [[1.0]] * len(images_BCHW)
        assert exported.parity
        assert max(exported.parity.clean, exported.parity.distorted) < 1e-4
        # One network's weights, with batch norms folded into convolutions, and no gate's.
        initialisers = onnx.load(exported.path).graph.initializer
        stored = sum(np.prod(each.dims, dtype=int) for each in initialisers)
        one = tree_run.results["cost"]["all"]["params"]
        assert 0.9 * one < stored < 1.1 * one

    def test_has_none_of_the_modes_of_mixtures(
        self, command: Command, tree_run: Run, tmp_path: Path, cells_folder: Path
    ) -> None:
        path = mixqual.export(tree_run.out, tmp_path / "one.mixqual", model="all").path
        photograph = next(cells_folder.rglob("*.png"))
        for options in (("--mode", "conditional"), ("--tau", "0.1"), ("--expert", "all")):
            message = command("predict", path, photograph, *options).refusal()
            assert "is for mixtures, and 'all' is one network, which runs as a whole" in message
        ended = command("predict", path, photograph, "--mode", "full", "--json")
        line = json.loads(ended.out)
        assert (line["weights"], line["distortion"]) == (None, None)
        (words,) = command("predict", path, photograph).out.splitlines()
        verdict = f", {line['verdict']}"
        assert words == f"{photograph}: {line['class_name']} {line['confidence']:.2f}{verdict}"

    def test_with_frozen_stages_is_whole(
        self, tree_run: Run, opened: Opened, tmp_path: Path
    ) -> None:
        path = mixqual.export(tree_run.out, tmp_path / "one.mixqual", model=CONTROL).path
        predictor = mixqual.load(path)
        network = whole_network(opened, opened.trees["tree_blocks.2"], CONTROL)
        (told,) = (row for row in tree_run.results["trust"] if row["model"] == CONTROL)
        for images_BCHW in shown(opened):
            found = predictor.predict_pixels(images_BCHW)
            expected_BK = by_hand(network, told["temperature"], images_BCHW)
            np.testing.assert_allclose(probabilities(found), expected_BK, atol=1e-5)
            assert {each.verdict for each in found} <= {"usable", "doubtful", "retake"}


class TestWhich:
    def test_what_cannot_be_had_is_told_with_all_that_can(
        self, tree_run: Run, tmp_path: Path
    ) -> None:
        trees = [tree["model"] for tree in tree_run.results["trees"]]
        singles = ["clean", "noise", "blur", "all", "all_long", CONTROL, "all_inverted_blocks.2"]
        known = ", ".join(["mix", *trees, *singles])
        for model in ("avg", "mix_true", "nonsense"):
            with pytest.raises(BundleError) as raised:
                mixqual.export(tree_run.out, tmp_path / "b.mixqual", model=model)
            assert str(raised.value) == (
                f"{tree_run.out} has nothing called {model!r} that can be exported; "
                f"there are {known}"
            )
        assert not list(tmp_path.iterdir())

    def test_what_the_run_recommends_unless_another_is_asked_for(
        self, command: Command, plain_run: Run, tmp_path: Path
    ) -> None:
        told = plain_run.results["recommendation"]
        one = {"recommendation": told | {"ship": "all", "mode": "full"}}
        run = copied(plain_run, tmp_path / "run", one)
        ended = command("export", run, tmp_path / "a.mixqual")
        assert "a.mixqual: all of tiny (the run recommends it), " in ended.out
        assert mixqual.load(tmp_path / "a.mixqual").manifest.model == "all"
        half = {"recommendation": told | {"ship": "mix", "mode": "conditional"}}
        ended = command(
            "export", copied(plain_run, tmp_path / "half", half), tmp_path / "c.mixqual"
        )
        assert "mix of tiny (the run recommends it in the mode conditional), " in ended.out
        ended = command("export", run, tmp_path / "b.mixqual", "--model", "noise")
        assert "b.mixqual: noise of tiny (asked for), " in ended.out

    def test_m_mix_of_runs_that_recommend_nothing(
        self, command: Command, plain_run: Run, tmp_path: Path
    ) -> None:
        run = copied(plain_run, tmp_path / "run", {}, "recommendation")
        ended = command("export", run, tmp_path / "a.mixqual")
        assert "a.mixqual: mix of tiny (the run recommends nothing), " in ended.out

    def test_a_recommendation_that_no_file_can_hold(self, plain_run: Run, tmp_path: Path) -> None:
        told = plain_run.results["recommendation"] | {"ship": "avg"}
        run = copied(plain_run, tmp_path / "run", {"recommendation": told})
        with pytest.raises(
            BundleError, match=r"recommends 'avg', which no file can hold; .* mix, "
        ):
            mixqual.export(run, tmp_path / "a.mixqual")


class TestTheOriginalNetworkByAnotherName:
    """The second of the experts, called `sharp`."""

    def test_is_told(self, sharp_run: Run, plain_run: Run) -> None:
        assert sharp_run.results["experts"] == ["noise", "sharp", "blur"]
        assert (sharp_run.results["clean"], plain_run.results["clean"]) == ("sharp", "clean")

    @pytest.mark.parametrize("model", ["mix", "tree_blocks.2", "sharp"])
    def test_is_where_it_belongs(self, sharp_run: Run, tmp_path: Path, model: str) -> None:
        """Against what the run's own sweeps say."""
        opened = open_run(sharp_run.study, sharp_run.out)
        predictor = mixqual.load(
            mixqual.export(sharp_run.out, tmp_path / "b.mixqual", model=model).path
        )
        assert predictor.manifest.clean == "sharp"
        experts, temperature = ["noise", "sharp", "blur"], told_of(sharp_run, model)["temperature"]
        cube = sweep_split(opened.bench, opened.sets, "test", [*experts, "gate"], 0)
        for cell in (cube.cells[0], cube.cells[2], cube.cells[-1]):
            if model == "mix":
                p_NK = mix(cube.read(cell, experts), cube.arrays["gate"].read(cell))
            elif model == "sharp":
                p_NK = cube.arrays["sharp"].read(cell)
            else:
                folder = opened.trees[model].outputs_folder("test", 0)
                array = OutputArray(opened.bench.store.root / folder, 24, 8)
                p_NK = array.read(cell)[:, :4]
            found = predictor.predict_pixels(distorted(opened, "test", cell))
            expected_NK = with_temperature(p_NK, temperature)
            np.testing.assert_allclose(probabilities(found), expected_NK, atol=1e-4)


def test_a_network_that_is_gone_is_told(plain_run: Run, tmp_path: Path) -> None:
    copy = shutil.copytree(plain_run.out, tmp_path / "run")
    shutil.rmtree(copy / "artifacts" / plain_run.results["training"]["0"]["all"]["artifact"])
    with pytest.raises(mixqual.MixqualError, match="network 'all' of seed 0 is not trained"):
        mixqual.export(copy, tmp_path / "b", model="all")
    assert FinishedRun.open(copy).seeds == [0]
