"""On epochs so short that their ratios mean nothing: that both sides take the same steps."""

import gc

import pytest
import torch

from mixqual.bench import epoch


def test_both_sides_take_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_SIDE", 32), ("_BATCH", 4), ("_STEPS", 2), ("_REPETITIONS", 1)):
        monkeypatch.setattr(epoch, name, value)
    monkeypatch.setattr(epoch, "_BACKBONE", "timm/test_efficientnet")
    updates = 0
    update = torch.optim.SGD.step

    def counted(self: torch.optim.SGD, closure: None = None) -> float | None:
        nonlocal updates
        updates += 1
        return update(self, closure)

    monkeypatch.setattr(torch.optim.SGD, "step", counted)
    found = epoch.measure()
    assert [ratio.what for ratio in found] == [
        "an epoch of the expert of gaussian_noise",
        "an epoch of the expert of gaussian_blur",
    ]
    for ratio in found:
        assert 0 < ratio.low <= ratio.ratio <= ratio.high
        assert "batch 4, 2 steps" in ratio.settings
    # Of each expert: once to warm up and once timed, two steps on either side.
    assert updates == 2 * 2 * 2 * 2
    assert gc.get_freeze_count() == 0
