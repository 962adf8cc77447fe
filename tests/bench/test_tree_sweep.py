"""On networks so small that the ratios mean nothing: that both sides say the same."""

import pytest
import torch

from mixqual.bench import tree_sweep
from mixqual.bench.noise_images import noise_images


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_IMAGES", 4), ("_SIDE", 32), ("_BATCH", 2), ("_REPETITIONS", 1)):
        monkeypatch.setattr(tree_sweep, name, value)
    monkeypatch.setattr(tree_sweep, "_BACKBONE", "timm/test_efficientnet")
    monkeypatch.setattr(tree_sweep, "_UNTIL", ("blocks.1", "blocks.3"))


def test_it_runs_and_says_what() -> None:
    found = tree_sweep.measure()
    assert [ratio.what for ratio in found] == [
        "sweep of 2 TreeNets, together",
        "sweep of 2 controls of TreeNets, together",
    ]
    for ratio in found:
        assert ratio.against == "each on its own"
        assert 0 < ratio.low <= ratio.ratio <= ratio.high
        assert "until blocks.1, blocks.3; 3 experts" in ratio.settings


def test_both_sides_say_the_same() -> None:
    images_BCHW, _ = noise_images(3, 32).batch(range(3))
    for kind in (tree_sweep._tree, tree_sweep._control):
        apart = {until: kind(until) for until in tree_sweep._UNTIL}
        together = tree_sweep._together(apart)
        with torch.inference_mode():
            for until in apart:
                left, right = (
                    tree_sweep._predictor(networks[until])(images_BCHW, None)
                    for networks in (apart, together)
                )
                assert torch.equal(left, right)
