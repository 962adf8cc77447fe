"""On epochs so short that their ratios mean nothing: that both sides differ in what is named."""

import gc

import pytest
import timm.utils
import torch

from mixqual.bench import recipe


def test_both_sides_take_the_same_steps_and_one_averages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("_SIDE", 32), ("_BATCH", 4), ("_STEPS", 2), ("_REPETITIONS", 1)):
        monkeypatch.setattr(recipe, name, value)
    monkeypatch.setattr(recipe, "_BACKBONE", "timm/test_efficientnet")
    for name in ("_MODERN", "_PLAIN"):
        config = getattr(recipe, name).model_copy(update={"batch_size": 4})
        monkeypatch.setattr(recipe, name, config)
    calls = {"steps": 0, "averages": 0}
    step, average = torch.optim.AdamW.step, timm.utils.ModelEmaV3.update

    def counted_step(self: torch.optim.AdamW, closure: None = None) -> float | None:
        calls["steps"] += 1
        return step(self, closure)

    def counted_average(self: timm.utils.ModelEmaV3, *arguments: object, **named: object) -> None:
        calls["averages"] += 1
        average(self, *arguments, **named)

    monkeypatch.setattr(torch.optim.AdamW, "step", counted_step)
    monkeypatch.setattr(timm.utils.ModelEmaV3, "update", counted_average)
    (found,) = recipe.measure()
    assert 0 < found.low <= found.ratio <= found.high
    # Once to warm up and once timed, two steps on either side.
    assert calls == {"steps": 2 * 2 * 2, "averages": 2 * 2}
    assert gc.get_freeze_count() == 0
