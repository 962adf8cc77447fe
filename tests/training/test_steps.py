"""A step in two halves against the whole one, with real refusals of the allocator."""

import copy
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from small_elpv import cell_set
from torch import Tensor, nn

from mixqual.config import TrainingConfig
from mixqual.distortions import Schedule, distortion
from mixqual.errors import RunError
from mixqual.training import Fitted, Task, fit
from mixqual.training.steps import is_out_of_memory

CONFIG = TrainingConfig(lr=0.01, lr_new=0.05, batch_size=8, max_epochs=2)


class Greedy(nn.Module):
    """Asks for a petabyte for more than so many images in training."""

    def __init__(self, most: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4)
        )
        self.layers(torch.zeros(1, 3, 32, 32))
        self.most = most
        self.seen: list[int] = []

    def forward(self, images_BCHW: Tensor) -> Tensor:
        if self.training:
            self.seen.append(len(images_BCHW))
            if len(images_BCHW) > self.most:
                torch.empty(2**50, dtype=torch.uint8)
        logits_BK: Tensor = self.layers(images_BCHW / 255)
        return logits_BK


class Normed(nn.Module):
    """A batch norm without any other layer before the last."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.last = nn.BatchNorm1d(3), nn.Linear(3, 4)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        logits_BK: Tensor = self.last(self.norm(images_BCHW.mean((2, 3))))
        return logits_BK


def task() -> Task:
    return Task(
        title="test",
        train=cell_set(4),
        val=cell_set(2, first=7),
        schedule=Schedule({"gaussian_noise": 0.5}, {"gaussian_noise": (0, 100)}),
        distortions={"gaussian_noise": distortion("gaussian_noise")},
        targets=lambda labels_B, _: labels_B,
        losses=lambda logits_BK, labels_B: nn.functional.cross_entropy(
            logits_BK, labels_B, reduction="none"
        ),
        seed=1,
        val_seed=2,
    )


def run(network: nn.Module, folder: Path, config: TrainingConfig = CONFIG) -> Fitted:
    folder.mkdir(exist_ok=True)
    return fit(network, [], task(), config, Accelerator(cpu=True), folder)


def test_halves_train_what_the_whole_batch_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, halved = Greedy(most=8), Greedy(most=4)
    expected, found = run(whole, tmp_path / "whole"), run(halved, tmp_path / "halved")
    assert (expected.parts, found.parts) == (1, 2)
    assert found.steps == expected.steps == 4
    assert halved.seen == [8, *[4] * 8], "it tried the whole batch once"
    assert found.val_loss == pytest.approx(expected.val_loss, rel=1e-5)
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(halved.state_dict()[name], tensor, rtol=1e-4, atol=1e-6)
    said = capsys.readouterr().err
    assert said.count("memory does not hold a step of 8 images; from now on each batch") == 1


def test_it_is_known_after_an_interruption(tmp_path: Path) -> None:
    run(Greedy(most=4), tmp_path, CONFIG.model_copy(update={"max_epochs": 1}))
    (tmp_path / "weights.safetensors").unlink()
    again = Greedy(most=4)
    assert run(again, tmp_path).parts == 2
    assert again.seen == [4] * 4


def test_a_batch_of_which_not_even_half_fits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        RunError, match=r"memory does not hold a step of 4 images.*lower training\.batch_size"
    ):
        run(Greedy(most=3), tmp_path)


def test_other_errors_are_no_lack_of_memory(tmp_path: Path) -> None:
    broken = copy.deepcopy(Greedy(most=8))
    broken.layers[3] = nn.Linear(7, 4)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        run(broken, tmp_path)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))


def test_a_norm_of_one_value_is_refused_in_words(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"batch_size": 1})
    with pytest.raises(RunError, match=r"cannot take one image alone; raise training\.batch_size"):
        run(Normed(), tmp_path / "one", config)
