"""A whole study on a handful of real photographs."""

import base64
import csv
import io
import json
import shutil
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from finished_runs import Finished, Run, artifacts, numbers, read, stages_of, times
from PIL import Image
from small_elpv import with_trees, write_study

import mixqual
from mixqual.networks import Gate, backbone_preprocessing, build_classifier
from mixqual.study import Study
from mixqual.training import load_tensors

pytestmark = pytest.mark.slow

NETWORKS = ["clean", "noise", "blur", "all", "all_long"]
MODELS = [*NETWORKS, "avg", "max", "hardmix", "mix", "mix_true", "best_expert"]
TREES = [
    "tree_blocks.2",
    "inverted_blocks.2",
    "tree_blocks.1_inverted_conv_head_resolved",
    "tree_blocks.2_resolved",
]
CONTROLS = ["all_tree_blocks.2", "all_inverted_blocks.2"]
NOISE, BLUR = ["0", "50", "100"], ["0", "0.714286", "1.42857"]


class TestResults:
    def test_have_the_schema_of_the_design(self, finished: Finished) -> None:
        _, out, results = finished
        assert results == read(out)
        origin = results["provenance"]
        assert {
            *("version", "commit", "date", "libraries", "device", "threads", "processes"),
            *("seeds", "config_hash", "images", "left_out", "size", "backbone", "weights"),
        } <= origin.keys()
        assert origin["images"] == {"train": 40, "val": 16, "test": 24}
        assert (origin["processes"], origin["threads"], origin["seeds"]) == (1, 1, [0])
        kinds = ("experts", "baselines", "gate")
        assert origin["backends"] == {kind: ["eager"] for kind in kinds}
        assert results["models"] == MODELS
        assert (results["experts"], results["baselines"]) == (NETWORKS[:3], NETWORKS[3:])
        for model in MODELS:
            assert list(results["auc"][model]) == ["gaussian_noise", "gaussian_blur", "average"]
            for area in results["auc"][model].values():
                assert {"auc", "auc_without_clean", "ci95", "seeds"} <= area.keys()
                assert 0 <= area["ci95"][0] <= area["auc"] <= area["ci95"][1] <= 1
                assert area["seeds"] == [area["auc"]]
            assert list(results["accuracy"][model]["gaussian_noise"]) == NOISE
            assert list(results["accuracy"][model]["gaussian_blur"]) == BLUR
        assert len(results["comparisons"]) == 3 * len(MODELS) * (len(MODELS) - 1) // 2
        assert results["controls"] == results["trees"] == []
        assert results["command"] == "mixqual run tiny.toml"
        assert results["study_text"] == finished[0].read_text(encoding="utf-8")

    def test_levels_in_pixels_scale_with_the_crop(self, finished: Finished) -> None:
        grids = finished[2]["distortions"]
        assert grids["gaussian_noise"]["levels"] == [0, 50, 100]
        assert grids["gaussian_blur"]["levels"] == pytest.approx(
            [0, 5 * 32 / 224, 10 * 32 / 224], abs=1e-6
        )
        assert grids["gaussian_blur"]["max_at_224"] == 10

    def test_noise_of_grayscale_files_is_gray_in_what_networks_saw(
        self, finished: Finished
    ) -> None:
        _, out, results = finished
        options = {name: grid["options"] for name, grid in results["distortions"].items()}
        assert options == {"gaussian_noise": {"gray": True}, "gaussian_blur": {}}
        examples = json.loads((out / "examples.json").read_text(encoding="utf-8"))
        for example in examples["examples"]:
            for shown in example["cells"]:
                content = base64.b64decode(shown["pixels"].partition(",")[2])
                with Image.open(io.BytesIO(content)) as image:
                    pixels_HWC = np.array(image.convert("RGB")).astype(int)
                # WebP stores colours, and rounds them.
                assert np.ptp(pixels_HWC, axis=2).max() <= 4

    def test_weights_are_on_the_simplex_and_clean_ones_are_shared(self, finished: Finished) -> None:
        results = finished[2]
        for table in ("weights", "gate_weights"):
            for levels in results[table].values():
                for weights in levels.values():
                    assert list(weights) == NETWORKS[:3]
                    assert min(weights.values()) >= 0
                    assert sum(weights.values()) == pytest.approx(1, abs=3e-6)
            clean = [levels["0"] for levels in results[table].values()]
            assert clean[0] == clean[1]
        assert results["largest_gap"] <= 1e-9

    def test_costs(self, finished: Finished) -> None:
        cost = finished[2]["cost"]
        assert cost.keys() == set(MODELS[:-2])
        one = cost["clean"]
        assert cost["all"] == one
        assert [cost[name]["experts_run"] for name in ("avg", "max", "hardmix", "mix")] == [
            *(3, 3, 1, 3)
        ]
        assert cost["avg"]["params"] == 3 * one["params"]
        assert cost["hardmix"]["params"] == cost["mix"]["params"] == 3 * one["params"] + 98_531
        assert cost["mix"]["macs"] - cost["avg"]["macs"] == cost["hardmix"]["macs"] - one["macs"]
        assert all(
            0 < row["latency_ms_low"] <= row["latency_ms"] <= row["latency_ms_high"]
            for row in cost.values()
        )

    def test_recommends_a_model_that_it_has_measured(self, finished: Finished) -> None:
        results = finished[2]
        found = results["recommendation"]
        assert found["ship"] in {*NETWORKS, "mix"}
        assert found["reason"].startswith("Ship M_")
        named = "conditional" if found["mode"] == "conditional" else found["ship"]
        assert named in {row["model"] for row in found["front"] if row["exported"]}
        for row in found["front"]:
            conditional = row["model"] == "conditional"
            area = results["conditional"]["chosen"] if conditional else None
            area = area or results["auc"][row["model"]]["average"]
            assert (row["auc"], row["ci95"]) == (area["auc"], area["ci95"])
            assert (
                row["params"] == results["cost"]["mix" if conditional else row["model"]]["params"]
            )
        costs = [(row["macs"], row["params"]) for row in found["front"]]
        assert costs == sorted(costs)

    def test_thresholds_lead_from_the_mixture_to_its_favourite(self, finished: Finished) -> None:
        """Their ends are models whose areas and costs are computed elsewhere."""
        results = finished[2]
        curve, chosen = results["conditional"]["curve"], results["conditional"]["chosen"]
        for row, model in ((curve[0], "mix"), (curve[-1], "hardmix")):
            assert row["auc"] == pytest.approx(results["auc"][model]["average"]["auc"], abs=2e-6)
            assert row["macs"] == results["cost"][model]["macs"]
            assert row["experts"] == results["cost"][model]["experts_run"]
        passing = [row for row in curve if row["val_auc"] >= curve[0]["val_auc"] - 0.003]
        assert passing[-1].items() <= chosen.items()
        assert chosen["ci95"][0] <= chosen["auc"] <= chosen["ci95"][1]
        assert chosen["delta"] == pytest.approx(chosen["auc"] - curve[0]["auc"], abs=2e-6)
        assert chosen["delta_ci95"][0] <= chosen["delta"] <= chosen["delta_ci95"][1]

    def test_training_is_told(self, finished: Finished) -> None:
        results = finished[2]
        told = results["training"]["0"]
        assert list(told) == NETWORKS
        for name in NETWORKS[:4]:
            assert told[name]["steps"] == told[name]["epochs"] * 5 <= 10
        # It may go on from "all", up to the steps of all experts together.
        together = sum(told[name]["steps"] for name in NETWORKS[:3])
        assert told["all"]["steps"] <= told["all_long"]["steps"] <= together
        assert told["all_long"]["val_loss"] <= told["all"]["val_loss"]
        (gate,) = results["gate"]
        assert gate["beats_constant"] == (gate["val_loss"] < gate["constant_loss"])

    def test_clean_accuracy_is_that_of_the_saved_networks(self, finished: Finished) -> None:
        """Read, cropped, normalised and classified by hand, from the files and the weights."""
        study, out, results = finished
        config = Study.load(study).config
        plan, index = Study.load(study).prepare()
        (splits,) = (out / "artifacts").glob("split-*/splits.csv")
        with splits.open(encoding="utf-8") as lines:
            rows = [row for row in csv.DictReader(lines) if row["split"] == "test"]
        labels_N = torch.tensor([index.classes.index(row["class"]) for row in rows])
        paths = {item.id: item.path for item in index.items}
        images = []
        for row in rows:
            resized = Image.open(paths[row["id"]]).resize((37, 37), Image.Resampling.BICUBIC)
            images.append(np.asarray(resized.crop((2, 2, 34, 34)), dtype=np.float32))
        images_BCHW = torch.from_numpy(np.stack(images))[:, None].expand(-1, 3, -1, -1)
        assert backbone_preprocessing(config.backbone).interpolation == "bicubic"
        p_EBK = []
        for name in NETWORKS[:3]:
            network = build_classifier(config.backbone, 4, seed=99).eval()
            folder = out / "artifacts" / f"network-{plan.network_key(name, 0)}"
            network.load_state_dict(load_tensors(folder / "weights.safetensors")[0])
            with torch.inference_mode():
                p_EBK.append(network(images_BCHW).softmax(1))
        gate = Gate(3, backbone_preprocessing(config.backbone)).eval()
        gate_folder = out / "artifacts" / f"gate-{plan.gate_key(0)}"
        gate.load_state_dict(load_tensors(gate_folder / "weights.safetensors")[0])
        with torch.inference_mode():
            w_BE = gate(images_BCHW)
        stacked_EBK = torch.stack(p_EBK)
        scores = dict(zip(NETWORKS[:3], p_EBK, strict=True))
        scores["avg"] = stacked_EBK.mean(0)
        scores["max"] = stacked_EBK.amax(0)
        scores["mix"] = sum(w_BE[:, e, None] * p_EBK[e] for e in range(3))
        for model, scores_BK in scores.items():
            expected = (scores_BK.argmax(1) == labels_N).double().mean().item()
            assert results["accuracy"][model]["gaussian_noise"]["0"] == pytest.approx(
                expected, abs=1e-6
            )
        mean_E = w_BE.mean(0).tolist()
        assert list(results["gate_weights"]["gaussian_blur"]["0"].values()) == pytest.approx(
            mean_E, abs=1e-5
        )

    def test_report_is_written(self, finished: Finished) -> None:
        _, out, _ = finished
        written = {path.name for path in out.iterdir() if path.is_file()}
        assert {"results.json", "auc.csv", "accuracy.csv", "weights.csv", "table.md"} <= written
        assert "report.html" in written
        assert list((out / "figures").iterdir())
        assert stages_of(set(times(out / "artifacts"))) == {
            "gate": 1,
            "images": 1,
            "network": 5,
            "outputs": 12,
            "split": 1,
            "weights": 1,
        }
        assert not list(out.rglob("*.partial")) + list(out.rglob("*.tmp"))


class TestAgain:
    @pytest.fixture
    def copied(self, tmp_path: Path, finished: Finished) -> Path:
        shutil.copytree(finished[1], tmp_path / "out")
        return tmp_path / "out"

    def test_computes_nothing_anew(self, copied: Path, finished: Finished) -> None:
        study, _, results = finished
        before = times(copied / "artifacts")
        again = Study.load(study).run(copied)
        assert times(copied / "artifacts") == before
        assert numbers(again) == numbers(results)

    @pytest.mark.parametrize("change", ["gate.lr=0.02", "gate.kind=patch"])
    def test_with_another_gate_trains_only_the_gate(
        self, copied: Path, finished: Finished, change: str
    ) -> None:
        study, _, results = finished
        before = times(copied / "artifacts")
        again = Study.load(study, [change]).run(copied)
        after = times(copied / "artifacts")
        assert {file: after[file] for file in before} == before
        assert stages_of(after.keys() - before.keys()) == {"gate": 1, "outputs": 2}
        assert again["auc"]["avg"] == results["auc"]["avg"]
        assert again["gate"] != results["gate"]
        kind = "patch" if "patch" in change else "paper"
        assert again["provenance"]["gate"] == kind
        gates = {"paper": 98_531, "patch": 24_675}
        one = again["cost"]["clean"]["params"]
        assert again["cost"]["mix"]["params"] == 3 * one + gates[kind]

    def test_that_is_older_sweeps_only_what_others_say_of_validation_images(
        self, copied: Path, finished: Finished
    ) -> None:
        """As a run of a version that swept these with the experts alone."""
        study, _, results = finished
        before = times(copied / "artifacts")
        plan, _ = Study.load(study).prepare()
        lacking = ("all", "all_long", "gate")
        folders = tuple(plan.outputs_folder(name, "val", 0) for name in lacking)
        for folder in folders:
            shutil.rmtree(copied / "artifacts" / folder)
        again = Study.load(study).run(copied)
        after = times(copied / "artifacts")
        others = {file for file in before if not file.startswith(folders)}
        assert after.keys() == before.keys() > others
        assert {file: after[file] for file in others} == {file: before[file] for file in others}
        assert numbers(again) == numbers(results)

    def test_with_other_statistics_computes_no_artifact(
        self, copied: Path, finished: Finished
    ) -> None:
        before = times(copied / "artifacts")
        changes = ["evaluation.bootstrap=200", "runtime.threads=2"]
        again = Study.load(finished[0], changes).run(copied)
        assert times(copied / "artifacts") == before
        assert again["accuracy"] == finished[2]["accuracy"]
        assert again["accuracy_ci95"] != finished[2]["accuracy_ci95"]

    def test_with_more_levels_computes_only_their_cells(
        self, copied: Path, finished: Finished
    ) -> None:
        """Twice as many levels of noise add 25 and 75 between those that are there."""
        study, _, results = finished
        before = times(copied / "artifacts")
        again = Study.load(study, ["distortions.gaussian_noise.steps=4"]).run(copied)
        after = times(copied / "artifacts")
        new = {file for file in after.keys() - before.keys() if "/sums/" not in file}
        changed = {file for file in before if after[file] != before[file]}
        # The arrays' tables of cells have grown, and not one old cell was written again.
        assert {Path(file).name for file in changed} == {"zarr.json"}
        # The new weights make another gate; its outputs are its own.
        cells = [file for file in new if file.startswith("outputs") and "/c/" in file]
        old_arrays = {file.split("/")[0] for file in before if file.startswith("outputs")}
        of_networks = [file for file in cells if file.split("/")[0] in old_arrays]
        assert len(of_networks) == 5 * 2 + 5 * 2 * 2  # test; validation with two draws
        assert stages_of(new - set(cells)) == {"gate": 1, "outputs": 2, "weights": 1}
        for model in ("clean", "all", "avg"):
            accuracy = again["accuracy"][model]
            assert list(accuracy["gaussian_noise"]) == ["0", "25", "50", "75", "100"]
            assert accuracy["gaussian_blur"] == results["accuracy"][model]["gaussian_blur"]
            for level in NOISE:
                old = results["accuracy"][model]["gaussian_noise"][level]
                assert accuracy["gaussian_noise"][level] == old

    def test_with_another_expert_trains_only_that_one(
        self, copied: Path, finished: Finished
    ) -> None:
        before = times(copied / "artifacts")
        change = "experts.blur.distort={ gaussian_blur = 0.75 }"
        Study.load(finished[0], [change]).run(copied)
        new = times(copied / "artifacts").keys() - before.keys()
        # The expert and the fair baseline, which is as long as all experts.
        assert stages_of(new) == {"gate": 1, "network": 2, "outputs": 6, "weights": 1}


def test_without_a_clean_expert_each_starts_from_the_backbone_itself(
    tmp_path: Path, study_file: Callable[..., Path]
) -> None:
    text = study_file().read_text()
    begin, end = text.index("[baselines.all]"), text.index("[training]")
    study = tmp_path / "without.toml"
    study.write_text((text[:begin] + text[end:]).replace("[experts.clean]", ""))
    results = Study.load(study, ["training.max_epochs=1"]).run(tmp_path / "out")
    assert results["models"] == ["noise", "blur", *MODELS[5:]]
    assert results["baselines"] == []
    assert results["cost"]["mix"]["params"] == 2 * results["cost"]["noise"]["params"] + 98_514


class TestTrees:
    """The same study with mixtures whose experts share stages."""

    def test_results_have_all_their_models(self, tree_run: Run) -> None:
        results = tree_run.results
        assert results == read(tree_run.out)
        assert (results["experts"], results["baselines"]) == (NETWORKS[:3], NETWORKS[3:])
        assert results["controls"] == CONTROLS
        assert results["models"] == [
            *NETWORKS,
            *CONTROLS,
            *MODELS[5:9],
            *TREES,
            *MODELS[9:],
            *(f"{tree}_true" for tree in TREES),
        ]
        for table in ("auc", "accuracy", "accuracy_ci95"):
            assert list(results[table]) == results["models"]
        for model in results["models"]:
            area = results["auc"][model]["average"]
            assert 0 <= area["ci95"][0] <= area["auc"] <= area["ci95"][1] <= 1
            assert list(results["accuracy"][model]["gaussian_blur"]) == BLUR
            # Clean images are in the table of every distortion.
            clean = [levels["0"] for levels in results["accuracy"][model].values()]
            assert clean[0] == clean[1]
        pairs = {(row["b"], row["a"], row["distortion"]) for row in results["comparisons"]}
        assert len(pairs) == len(results["comparisons"])
        assert pairs == {
            (b, a, distortion)
            for b, a in combinations(results["models"], 2)
            for distortion in ("gaussian_noise", "gaussian_blur", "average")
        }

    def test_each_tree_names_its_stages_and_its_models(self, tree_run: Run) -> None:
        rows = tree_run.results["trees"]
        assert [
            (row["model"], row["kind"], row["until"], row["from"], row["control"], row["weights"])
            for row in rows
        ] == [
            (TREES[0], "treenet", "blocks.2", None, CONTROLS[0], "reuse"),
            (TREES[1], "inverted", None, "blocks.2", CONTROLS[1], "reuse"),
            (TREES[2], "both", "blocks.1", "conv_head", None, "resolve"),
            (TREES[3], "treenet", "blocks.2", None, CONTROLS[0], "resolve"),
        ]
        for row in rows:
            assert row["ceiling"] == f"{row['model']}_true"
            own = {"gate", "resolved"} if row["weights"] == "resolve" else set()
            assert row.keys() - {*rows[0]} == own
            for gate in row.get("gate", []):
                assert gate["seed"] == 0
                assert gate["beats_constant"] == (gate["val_loss"] < gate["constant_loss"])

    def test_plain_models_are_those_of_the_plain_study(
        self, tree_run: Run, finished: Finished
    ) -> None:
        results, plain = tree_run.results, finished[2]
        for table in ("accuracy", "accuracy_ci95", "auc"):
            assert {model: results[table][model] for model in MODELS} == plain[table]
        for table in ("weights", "gate_weights", "gate_weights_std", "gate", "largest_gap"):
            assert results[table] == plain[table]
        shared = [row for row in results["comparisons"] if {row["a"], row["b"]} <= {*MODELS}]
        assert shared == plain["comparisons"]
        trained = results["training"]["0"]
        assert {name: trained[name] for name in NETWORKS} == plain["training"]["0"]

    def test_training_tells_of_every_branch(self, tree_run: Run) -> None:
        told = tree_run.results["training"]["0"]
        shared = ("tree_blocks.2", "inverted_blocks.2", "tree_blocks.1_inverted_conv_head")
        branches = [f"{stages}/{expert}" for stages in shared for expert in ("noise", "blur")]
        assert told.keys() == {*NETWORKS, *CONTROLS, *branches}
        for name in (*CONTROLS, *branches):
            assert told[name]["steps"] == told[name]["epochs"] * 5 <= 10

    def test_costs_are_those_that_mixqual_cost_counts(self, tree_run: Run) -> None:
        cost = tree_run.results["cost"]
        assert cost.keys() == {*NETWORKS, *CONTROLS, *MODELS[5:9], *TREES}
        for control in CONTROLS:
            assert cost[control] == cost["all"]
        counted = {
            (row["variant"], row["branch"]): (row["params"], row["macs"])
            for row in mixqual.cost("timm/test_efficientnet", "4", experts=3, size=32)
        }
        found = {model: (row["params"], row["macs"]) for model, row in cost.items()}
        assert found["clean"] == counted["single", ""]
        assert found["mix"] == counted["independent", ""]
        assert found[TREES[0]] == found[TREES[3]] == counted["treenet", "blocks.2"]
        assert found[TREES[1]] == counted["inverted", "blocks.2"]
        # Two stages fewer than all that follow blocks.1 have to be stored three times.
        head = counted["treenet", "conv_head"][0] - counted["treenet", "blocks.1"][0]
        assert counted["inverted", "conv_head"][0] + head < found[TREES[2]][0] < found["mix"][0]
        assert all(cost[tree]["experts_run"] == 3 for tree in TREES)
        # Stages add up to what the trees share and what they do not.
        stages = tree_run.results["stages"]
        assert [stage["name"] for stage in stages[:2]] == [None, "blocks.0"]
        names = [stage["name"] for stage in stages]
        for field in ("params", "macs"):
            counts = [stage[field] for stage in stages]
            assert sum(counts) == cost["clean"][field]
            cut, gate = names.index("blocks.2"), cost["mix"][field] - 3 * sum(counts)
            assert cost[TREES[0]][field] == sum(counts[:cut]) + 3 * sum(counts[cut:]) + gate
            assert cost[TREES[1]][field] == 3 * sum(counts[:cut]) + sum(counts[cut:]) + gate
        assert all(row["latency_ms"] > 0 for row in cost.values())

    def test_report_has_their_table(self, tree_run: Run) -> None:
        written = {path.name for path in tree_run.out.iterdir() if path.is_file()}
        assert {"results.json", "auc.csv", "trees.csv", "table.md"} <= written
        assert stages_of(set(times(tree_run.out / "artifacts"))) == {
            "branch": 8,  # the last tree has those of the first
            "gate": 3,
            "images": 1,
            "network": 5,
            "outputs": 12 + 2 * (4 + 2),  # of test and validation images by trees and controls
            "split": 1,
            "tree": 2,  # tree-weights
            "weights": 1,
        }
        assert not list(tree_run.out.rglob("*.partial")) + list(tree_run.out.rglob("*.copy"))

    def test_run_again_computes_nothing_anew(self, tree_run: Run, tmp_path: Path) -> None:
        out = shutil.copytree(tree_run.out, tmp_path / "out")
        before = times(out / "artifacts")
        again = Study.load(tree_run.study).run(out)
        assert times(out / "artifacts") == before
        assert numbers(again) == numbers(tree_run.results)

    def test_one_more_tree_trains_only_its_own_branches(
        self, tmp_path: Path, finished: Finished
    ) -> None:
        out = shutil.copytree(finished[1], tmp_path / "out")
        before = times(out / "artifacts")
        tree = ["sharing.until=classifier", "sharing.control=false"]
        results = Study.load(finished[0], tree).run(out)
        after = times(out / "artifacts")
        assert {file: after[file] for file in before} == before
        assert stages_of(after.keys() - before.keys()) == {"branch": 2, "outputs": 2}
        assert results["controls"] == []


@pytest.fixture(scope="module")
def two_seeds(
    tmp_path_factory: pytest.TempPathFactory, cells_folder: Path, tree_run: Run
) -> dict[str, Any]:
    """With one of the trees; the first seed's half is taken over from the run that had it alone."""
    root = tmp_path_factory.mktemp("two")
    tree = '[sharing]\nuntil = "blocks.2"\nweights = "resolve"'
    seeds = ('name = "tiny"', 'name = "tiny"\nseeds = [0, 1]')
    study = write_study(root / "tiny.toml", cells_folder, seeds, with_trees(tree))
    return Study.load(study).run(root / "out", [tree_run.out])


class TestTwoSeeds:
    def test_are_averaged(self, two_seeds: dict[str, Any], finished: Finished) -> None:
        results = two_seeds
        assert results["provenance"]["seeds"] == [0, 1]
        assert results["training"].keys() == {"0", "1"}
        assert [gate["seed"] for gate in results["gate"]] == [0, 1]
        assert results["gate"][0] == finished[2]["gate"][0]
        for model in MODELS:
            for name, area in results["auc"][model].items():
                assert area["seeds"][0] == finished[2]["auc"][model][name]["auc"]
                assert area["auc"] == pytest.approx(np.mean(area["seeds"]), abs=1e-6)
        assert (
            results["auc"]["clean"]["average"]["seeds"][0]
            != (results["auc"]["clean"]["average"]["seeds"][1])
        )

    def test_of_a_tree_are_averaged(self, two_seeds: dict[str, Any], tree_run: Run) -> None:
        results = two_seeds
        told, old = results["training"], tree_run.results["training"]
        assert told["0"] == {name: old["0"][name] for name in told["0"]}
        assert told["1"].keys() == told["0"].keys()
        (row,) = results["trees"]
        for model in (TREES[3], f"{TREES[3]}_true", CONTROLS[0]):
            area = results["auc"][model]["average"]
            assert area["seeds"][0] == tree_run.results["auc"][model]["average"]["auc"]
            assert area["seeds"][1] != area["seeds"][0]
            assert area["auc"] == pytest.approx(np.mean(area["seeds"]), abs=1e-6)
        assert [gate["seed"] for gate in row["gate"]] == [0, 1]
        (alone,) = (other for other in tree_run.results["trees"] if other["model"] == row["model"])
        assert row["gate"][0] == alone["gate"][0]
        assert row["resolved"] != alone["resolved"]


class TestEarlierRuns:
    """A run that takes over what it shares with an earlier one ends as if it had not."""

    def test_equal_a_run_without(self, tmp_path: Path, tree_run: Run) -> None:
        out = tmp_path / "out"
        fresh = Study.load(tree_run.study).run(out)
        assert numbers(fresh) == numbers(tree_run.results)
        assert artifacts(out) == artifacts(tree_run.out)
        for file in tree_run.out.glob("artifacts/*/weights.safetensors"):
            again = out / file.relative_to(tree_run.out)
            assert again.read_bytes() == file.read_bytes()

    def test_are_copied_not_trained(self, tree_run: Run, plain_run: Run) -> None:
        earlier, new = plain_run.out / "artifacts", tree_run.out / "artifacts"
        files = times(earlier).keys()
        assert stages_of(set(files))["network"] == 5
        for file in files:
            copy, original = new / file, earlier / file
            assert copy.read_bytes() == original.read_bytes()
            assert copy.stat().st_ino != original.stat().st_ino
            assert not copy.is_symlink()
        others = {file for file in times(new) if file not in files}
        assert stages_of(others) == {"branch": 8, "gate": 2, "outputs": 12, "tree": 2}

    def test_are_not_touched(self, tree_run: Run, plain_run: Run) -> None:
        assert times(plain_run.out) == plain_run.times

    def test_with_other_settings_are_of_no_use(self, tmp_path: Path, plain_run: Run) -> None:
        """Another learning rate: only the images and their split are the same."""
        overrides = ["training.lr=0.02", "training.max_epochs=1", "gate.max_epochs=1"]
        Study.load(plain_run.study, overrides).run(tmp_path / "out", [plain_run.out])
        earlier, new = (times(run / "artifacts") for run in (plain_run.out, tmp_path / "out"))
        assert stages_of(earlier.keys() & new.keys()) == {"images": 1, "split": 1}
        assert stages_of(set(new)) == stages_of(set(earlier))

    def test_with_more_levels_lend_their_cells(self, tmp_path: Path, plain_run: Run) -> None:
        more = ["distortions.gaussian_noise.steps=4"]
        results = Study.load(plain_run.study, more).run(tmp_path / "out", [plain_run.out])
        assert results["training"] == plain_run.results["training"]
        for model in ("clean", "all", "avg"):
            for level in NOISE:
                old = plain_run.results["accuracy"][model]["gaussian_noise"][level]
                assert results["accuracy"][model]["gaussian_noise"][level] == old
        assert times(plain_run.out) == plain_run.times
