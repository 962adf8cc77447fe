"""One fit on two processes (gloo), and what was begun on two ended on one, and the other way."""

import json
import os
import socket
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from killable import start
from small_elpv import cell_set
from torch import Tensor, nn

from mixqual.config import TrainingConfig
from mixqual.distortions import Assignment, Schedule, distortion
from mixqual.training import Augmentation, Task, fit, load_tensors

CONFIG = TrainingConfig(lr=0.01, lr_new=0.05, batch_size=8, max_epochs=4)
MODERN = TrainingConfig.model_validate(
    {"recipe": "modern", "lr": 0.003, "batch_size": 8, "max_epochs": 4}
)
STEPS_AN_EPOCH = 3


def small_vgg() -> nn.Module:
    """As VGG: convolutions, ReLU, pooling, dense layers; no batch norm."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4)),
        *(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4)),
    )


def run(folder: str, stop_at: int = 10**9, config: TrainingConfig = CONFIG) -> None:
    """Fit, in as many processes as the environment says; stop at a call of the targets."""
    torch.set_num_threads(1)
    calls = 0

    def targets(labels_B: Tensor, _: Assignment) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == stop_at:
            os._exit(3)  # as a power cut would
        return labels_B

    job = Task(
        title="test",
        train=cell_set(7),  # 28 images: three batches of 8
        val=cell_set(17, first=7),  # 68 images: a batch of 64 and one of 4
        schedule=Schedule({"gaussian_noise": 0.5}, {"gaussian_noise": (0, 100)}),
        distortions={"gaussian_noise": distortion("gaussian_noise")},
        targets=targets,
        losses=lambda logits_BK, labels_B: nn.functional.cross_entropy(
            logits_BK / 100, labels_B, reduction="none"
        ),
        seed=1,
        val_seed=2,
        augmentation=Augmentation.of(config),
    )
    accelerator = Accelerator(cpu=True)
    fit(small_vgg(), [], job, config, accelerator, Path(folder))


def process(
    rank: int, count: int, port: int, folder: str, stop_at: int, config: TrainingConfig
) -> None:
    """One of several processes, as torchrun starts them."""
    os.environ.update(
        {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(count),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
    )
    run(folder, stop_at, config)


def fit_on(count: int, folder: Path, stop_at: int = 10**9, config: TrainingConfig = CONFIG) -> None:
    folder.mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [
        start(process, rank, count, port, str(folder), stop_at, config) for rank in range(count)
    ]
    for each in started:
        each.join(120)
    codes = [each.exitcode for each in started]
    assert codes == [3 if stop_at < 10**9 else 0] * count


def history(folder: Path) -> list[dict[str, float]]:
    _, numbers = load_tensors(folder / "state.safetensors")
    rows: list[dict[str, float]] = json.loads(json.dumps(numbers["history"]))
    return rows


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    fit_on(1, folder)
    return folder


def assert_same_curve(folder: Path, expected: Path) -> None:
    found, wanted = history(folder), history(expected)
    assert [row["step"] for row in found] == [STEPS_AN_EPOCH * n for n in (1, 2, 3, 4)]
    for key in ("train_loss", "val_loss"):
        assert [row[key] for row in found] == pytest.approx([row[key] for row in wanted], abs=1e-4)
    assert wanted[0]["train_loss"] != pytest.approx(wanted[-1]["train_loss"], abs=1e-3)


@pytest.mark.slow
def test_two_have_the_loss_curve_of_one(tmp_path: Path, alone: Path) -> None:
    fit_on(2, tmp_path)
    assert_same_curve(tmp_path, alone)


@pytest.mark.slow
def test_two_average_what_one_averages(tmp_path: Path) -> None:
    """AdamW, its schedule, augmentation and the running average, which is what is kept."""
    (tmp_path / "one").mkdir()
    run(str(tmp_path / "one"), config=MODERN)
    fit_on(2, tmp_path / "two", config=MODERN)
    assert_same_curve(tmp_path / "two", tmp_path / "one")


@pytest.mark.slow
@pytest.mark.parametrize(("first", "then"), [(2, 1), (1, 2)])
def test_goes_on_with_another_number_of_processes(
    tmp_path: Path, alone: Path, first: int, then: int
) -> None:
    # Each process takes part in each step, and the two batches of a validation are shared.
    fit_on(first, tmp_path, stop_at=2 * (STEPS_AN_EPOCH + 2 // first) + 2)
    assert len(history(tmp_path)) == 2, "it stopped in the third epoch"
    assert not (tmp_path / "weights.safetensors").exists()
    fit_on(then, tmp_path)
    assert_same_curve(tmp_path, alone)
