"""Every step of the method, computed again by other means from what it left on disk.

By NumPy and SciPy, from the arrays of a run, the tensors of its networks and the pixels of its
images. Which network starts where, which column is whose and what a loss adds up is seen here, and
nowhere in the tests of the parts.
"""

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import zarr
from finished_runs import Run
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize
from scipy.special import log_softmax
from torch import Tensor
from trees_by_hand import Opened, open_run, saved

from mixqual import stages
from mixqual.distortions import Assignment, Schedule, distort
from mixqual.networks import Gate, backbone_preprocessing, build_classifier
from mixqual.seeding import derive_seed
from mixqual.training import load_tensors
from mixqual.training.task import batches, prepared

pytestmark = pytest.mark.slow

Floats = NDArray[np.float64]
EXPERTS = ("clean", "noise", "blur")
NOISE, BLUR = "gaussian_noise", "gaussian_blur"
# What the tiny study says of each network: the share of a batch that gets each distortion.
SHARES: dict[str, dict[str, float]] = {
    "clean": {},
    "noise": {NOISE: 0.5},
    "blur": {BLUR: 0.5},
    "all": {NOISE: 0.25, BLUR: 0.25},
}
GATE_SHARES = {NOISE: 0.25, BLUR: 0.25}
# Its levels: up to 100 grey levels, and 10 pixels of 224.
LEVELS = {NOISE: (0.0, 50.0, 100.0), BLUR: (0.0, 5 * 32 / 224, 10 * 32 / 224)}
PENALTY = 0.01
_WEIGHTS = "weights.safetensors"


@pytest.fixture(scope="module")
def opened(plain_run: Run) -> Opened:
    torch.set_num_threads(1)
    return open_run(plain_run.study, plain_run.out)


def outputs(opened: Opened, name: str, split: str) -> dict[tuple[str, float], list[Floats]]:
    """What a network says of a split: (N, K), or (N, E) of the gate, for each draw of a cell."""
    folder = opened.bench.store.root / opened.bench.plan.outputs_folder(name, split, 0)
    array: Any = zarr.open_array(folder, mode="r")
    found: dict[tuple[str, float], list[Floats]] = {}
    for row, (distortion, level, _) in enumerate(array.attrs["cells"]):
        found.setdefault((distortion, level), []).append(np.asarray(array[row], np.float64))
    return found


def at(cells: Mapping[tuple[str, float], list[Floats]], kind: str, level: float) -> list[Floats]:
    """The draws of a level; the clean one is shared by all distortions."""
    wanted = (kind, level) if level else ("clean", 0.0)
    (found,) = [
        cell for cell in cells if cell[0] == wanted[0] and cell[1] == pytest.approx(wanted[1])
    ]
    return cells[found]


def stored_weights(opened: Opened) -> dict[str, Floats]:
    """The optimal weights (V, E) of each distortion."""
    folder = opened.bench.store.path("weights", opened.bench.plan.weights_key(0))
    content = json.loads((folder / "weights.json").read_text())
    assert content["experts"] == list(EXPERTS)
    return {name: np.array(rows) for name, rows in content["weights"].items()}


def validation(opened: Opened, shares: Mapping[str, float]) -> tuple[Tensor, Assignment]:
    """The validation images as a network sees them after every epoch, and what was done to each."""
    split, seed = opened.sets["val"], derive_seed(derive_seed(0, "val"), "validation")
    schedule = Schedule(shares, {name: (0.0, LEVELS[name][-1]) for name in shares})
    assignment = schedule.draw(len(split), seed)
    kinds = {name: opened.bench.plan.distortions[name] for name in shares}
    images_BCHW, _ = split.batch(range(len(split)))
    return distort(images_BCHW, assignment, kinds, seed), assignment


def val_loss(opened: Opened, stage: str, key: str) -> float:
    path = opened.bench.store.path(stage, key) / _WEIGHTS
    return float(load_tensors(path)[1]["val_loss"])


@pytest.mark.parametrize("name", SHARES)
def test_a_network_is_judged_by_the_cross_entropy_under_its_own_distortions(
    opened: Opened, name: str
) -> None:
    plan = opened.bench.plan
    network = build_classifier(plan.config.backbone, 4, seed=99).eval()
    network.load_state_dict(saved(opened, "network", plan.network_key(name, 0)))
    images_BCHW, _ = validation(opened, SHARES[name])
    with torch.inference_mode():
        scores_NK = network(images_BCHW).double().numpy()
    labels_N = opened.sets["val"].labels_N.numpy()
    expected = -log_softmax(scores_NK, axis=1)[np.arange(len(labels_N)), labels_N].mean()
    found = val_loss(opened, "network", plan.network_key(name, 0))
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", SHARES)
def test_the_images_of_a_batch_are_what_its_shares_say(opened: Opened, name: str) -> None:
    """Blurred by SciPy, noisy by as much as their level says, or untouched: so many of each."""
    training = opened.bench.plan.config.training_of(name)
    task = stages.classification_task(opened.bench, opened.sets, name, name, training, 0)
    for batch in list(batches(task, 8, 0, epoch=0))[:3]:
        shown_BCHW, labels_B = prepared(task, task.train, batch, torch.device("cpu"))
        plain_BCHW, expected_B = opened.sets["train"].batch(batch.positions_B)
        assert labels_B.tolist() == expected_B.tolist()
        found = dict.fromkeys(("", NOISE, BLUR), 0)
        for shown_CHW, plain_CHW, level in zip(
            shown_BCHW.numpy(), plain_BCHW.numpy(), batch.assignment.levels_B.tolist(), strict=True
        ):
            change = (shown_CHW - plain_CHW).std()
            blurred_CHW = [gaussian_filter(plane, level, truncate=4) for plane in plain_CHW]
            if level == 0:
                found[""] += change == 0
            elif np.allclose(shown_CHW, blurred_CHW, atol=0.05):
                found[BLUR] += 1
            elif change == pytest.approx(level, rel=0.08):  # 3072 draws: six deviations
                found[NOISE] += 1
        assert found == {
            "": 8 - 8 * sum(SHARES[name].values()),
            NOISE: 8 * SHARES[name].get(NOISE, 0),
            BLUR: 8 * SHARES[name].get(BLUR, 0),
        }


def test_all_other_networks_start_from_the_clean_one(
    plain_run: Run, opened: Opened, tmp_path: Path
) -> None:
    """Steps too small to tell leave a network where it started."""
    still = ("training.lr=1e-30", "training.lr_new=1e-30", "training.max_epochs=1")
    here = open_run(plain_run.study, tmp_path / "out", *still)
    clean = opened.bench.store.path("network", opened.bench.plan.network_key("clean", 0))
    here.bench.store.build(
        "network",
        here.bench.plan.network_key("clean", 0),
        lambda folder: shutil.copyfile(clean / _WEIGHTS, folder / _WEIGHTS),
    )
    start = saved(opened, "network", opened.bench.plan.network_key("clean", 0))
    for name in here.bench.plan.networks[1:]:
        stages.train_network(here.bench, here.sets, name, 0)
        network = build_classifier(here.bench.plan.config.backbone, 4, seed=99)
        network.load_state_dict(saved(here, "network", here.bench.plan.network_key(name, 0)))
        moved = [
            parameter
            for parameter, value in network.named_parameters()
            if not torch.allclose(value, start[parameter], rtol=0, atol=1e-20)
        ]
        assert moved == [], name


def test_the_clean_network_starts_from_the_backbone_with_a_new_head(
    plain_run: Run, tmp_path: Path
) -> None:
    still = ("training.lr=1e-30", "training.lr_new=1e-30", "training.max_epochs=1")
    here = open_run(plain_run.study, tmp_path / "out", *still)
    stages.train_network(here.bench, here.sets, "clean", 0)
    trained = saved(here, "network", here.bench.plan.network_key("clean", 0))
    expected = build_classifier(
        here.bench.plan.config.backbone, 4, derive_seed(0, "head")
    ).named_parameters()
    for name, value in expected:
        torch.testing.assert_close(trained[name], value, rtol=0, atol=1e-20)


@pytest.mark.parametrize(("classes", "kept"), [(4, True), (5, False)])
def test_a_person_s_own_head_is_kept_where_it_fits_and_the_run_says_so(
    plain_run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str], classes: int, kept: bool
) -> None:
    """At the rate of a new layer it would move at once, and at that of all others not at all."""
    own = timm.create_model("test_efficientnet", num_classes=classes).state_dict()
    torch.save({"state_dict": own, "args": argparse.Namespace()}, tmp_path / "own.pth.tar")
    start = f"backbone.weights={tmp_path / 'own.pth.tar'}"
    still = ("training.lr=1e-30", "training.lr_new=1.0", "training.max_epochs=1")
    here = open_run(plain_run.study, tmp_path / "out", start, *still)
    lines = [line for line in capfd.readouterr().err.splitlines() if "backbone.weights" in line]
    assert len(lines) == 1
    assert ("it is kept" if kept else "it gets a new one") in lines[0]
    for name in ("clean", "noise"):
        stages.train_network(here.bench, here.sets, name, 0)
        found = saved(here, "network", here.bench.plan.network_key(name, 0))[
            "backbone.classifier.weight"
        ]
        same = found.shape == own["classifier.weight"].shape and torch.allclose(
            found, own["classifier.weight"], rtol=0, atol=1e-20
        )
        assert same == kept


@pytest.mark.parametrize("kind", LEVELS)
def test_weights_are_those_that_slsqp_finds(opened: Opened, kind: str) -> None:
    """Eq. 4, with the columns in the order of the experts."""
    labels_N = opened.sets["val"].labels_N.numpy()
    said = [outputs(opened, name, "val") for name in EXPERTS]
    stored_VE = stored_weights(opened)[kind]
    apart = 0.0
    for level, stored_E in zip(LEVELS[kind], stored_VE, strict=True):
        columns = [
            np.concatenate(
                [p_NK[np.arange(len(labels_N)), labels_N] for p_NK in at(one, kind, level)]
            )
            for one in said
        ]
        p_NE = np.stack(columns, axis=1)
        assert len(p_NE) == 16 * (2 if kind == NOISE and level else 1)  # two draws of noise

        def loss(w_E: Floats, p_NE: Floats = p_NE) -> float:
            return float(-np.log(p_NE @ w_E).mean())

        found = minimize(
            loss,
            np.full(3, 1 / 3),
            method="SLSQP",
            bounds=[(0, 1)] * 3,
            constraints={"type": "eq", "fun": lambda w_E: w_E.sum() - 1},
            options={"ftol": 1e-12, "maxiter": 500},
        )
        assert stored_E.sum() == pytest.approx(1)
        assert loss(stored_E) == pytest.approx(found.fun, abs=1e-6)
        apart = max(apart, loss(stored_E[[0, 2, 1]]) - found.fun)
    assert apart > 1e-3  # exchanged columns would be seen


def test_the_gate_is_judged_by_the_squared_error_to_the_weights_of_each_image(
    opened: Opened,
) -> None:
    """Eq. 5: summed over the experts, with the penalty, as a loop over images."""
    plan = opened.bench.plan
    gate = Gate(3, backbone_preprocessing(plan.config.backbone)).eval()
    gate.load_state_dict(saved(opened, "gate", plan.gate_key(0)))
    images_BCHW, assignment = validation(opened, GATE_SHARES)
    with torch.inference_mode():
        weights_BE = gate(images_BCHW).double().numpy()
    stored, names = stored_weights(opened), list(GATE_SHARES)
    total, targets = 0.0, []
    for g_E, kind, level in zip(
        weights_BE, assignment.kinds_B.tolist(), assignment.levels_B.tolist(), strict=True
    ):
        rows_VE, grid = (stored[names[kind]], LEVELS[names[kind]]) if kind >= 0 else (None, None)
        target_E = [
            np.interp(level, grid, rows_VE[:, e]) if rows_VE is not None else stored[NOISE][0, e]
            for e in range(3)
        ]
        targets.append(target_E)
        total += sum((g - t) ** 2 for g, t in zip(g_E, target_E, strict=True))
        total += PENALTY * sum(g**2 for g in g_E)
    expected = total / len(weights_BE)
    key = plan.gate_key(0)
    assert val_loss(opened, "gate", key) == pytest.approx(expected, rel=1e-4)
    kinds = {names[kind] for kind in assignment.kinds_B.tolist() if kind >= 0}
    assert kinds == {NOISE, BLUR}
    # The best constant, by a minimiser that knows nothing of its closed form.
    targets_BE = np.array(targets)
    best = minimize(
        lambda c_E: ((c_E - targets_BE) ** 2 + PENALTY * c_E**2).sum(1).mean(), np.zeros(3)
    )
    told = stages.train_gate(
        opened.bench, opened.sets, stages.load_weights(opened.bench, 0), key, 0
    )
    assert told["val_loss"] == val_loss(opened, "gate", key)
    assert told["constant_loss"] == pytest.approx(best.fun, rel=1e-5)
    assert told["beats_constant"] == (expected < best.fun)


def test_every_area_follows_from_the_cube(opened: Opened, plain_run: Run) -> None:
    """All rules of fusion, the trapezoid and the mean over distortions, by NumPy."""
    labels_N = opened.sets["test"].labels_N.numpy()
    networks = (*SHARES, "all_long")
    said = {name: outputs(opened, name, "test") for name in (*networks, "gate")}
    stored = stored_weights(opened)
    images = np.arange(len(labels_N))
    areas: dict[str, list[tuple[float, float]]] = {}
    for kind, levels in LEVELS.items():
        right: dict[str, list[float]] = {}
        for row, level in enumerate(levels):
            p = {name: at(said[name], kind, level)[0] for name in said}
            p_ENK = np.stack([p[name] for name in EXPERTS])
            answers = {name: p[name].argmax(1) for name in networks}
            answers["avg"] = p_ENK.sum(0).argmax(1)
            answers["max"] = np.array([p_ENK[:, n].ravel().argmax() % 4 for n in images])
            answers["hardmix"] = p_ENK[p["gate"].argmax(1), images].argmax(1)
            answers["mix"] = (p["gate"].T[:, :, None] * p_ENK).sum(0).argmax(1)
            answers["mix_true"] = (stored[kind][row][:, None, None] * p_ENK).sum(0).argmax(1)
            share = {name: (answer_N == labels_N).mean() for name, answer_N in answers.items()}
            share["best_expert"] = max(share[name] for name in EXPERTS)
            for name, accuracy in share.items():
                right.setdefault(name, []).append(accuracy)
        for name, accuracies in right.items():
            with_clean = np.trapezoid(accuracies, levels) / (levels[-1] - levels[0])
            areas.setdefault(name, []).append((with_clean, float(np.mean(accuracies[1:]))))
    results = plain_run.results["auc"]
    assert results.keys() == areas.keys()
    for name, of_kinds in areas.items():
        rows = dict(zip((*LEVELS, "average"), [*of_kinds, np.mean(of_kinds, axis=0)], strict=True))
        for kind, (with_clean, without) in rows.items():
            assert results[name][kind]["auc"] == pytest.approx(with_clean, abs=1e-6), (name, kind)
            assert results[name][kind]["auc_without_clean"] == pytest.approx(without, abs=1e-6)
