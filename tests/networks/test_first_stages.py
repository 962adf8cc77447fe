"""First stages that are run once, against a tree that runs its own."""

from collections.abc import Callable

import pytest
import torch
from hand_made import photographs
from torch import Tensor

from mixqual.config import BackboneConfig
from mixqual.networks import (
    BranchedClassifier,
    FirstStages,
    Sharing,
    Stages,
    build_classifier,
)

BACKBONES = {
    "timm/test_efficientnet": ("blocks.1", "blocks.3", "conv_head"),
    "torchvision/resnet18": ("layer1", "layer2", "layer4"),
    # Its branches begin with activations in place.
    "torchvision/vgg11": ("conv2_1", "conv4_1", "fc7"),
}


def network(backbone: str) -> Stages:
    config = BackboneConfig(name=backbone, weights="random")
    return Stages(build_classifier(config, 4, 0).eval(), backbone)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_trees_behind_them_say_what_they_say_alone(backbone: str) -> None:
    stages, untils = network(backbone), BACKBONES[backbone]
    # Named in any order, and asked in any order, twice.
    first = FirstStages(stages, reversed(untils))
    apart = {u: BranchedClassifier(stages.divide(Sharing(until=u))).eval() for u in untils}
    together = {until: tree.after(first.until(until)) for until, tree in apart.items()}
    with torch.inference_mode():
        for count in (2, 3):
            images_BCHW = photographs(count, side=64)
            for until in (*untils[::-1], *untils):
                assert not together[until].training
                assert torch.equal(together[until](images_BCHW), apart[until](images_BCHW))


def test_each_stage_runs_once_for_a_batch() -> None:
    stages = network("timm/test_efficientnet")
    first = FirstStages(stages, ["blocks.1", "blocks.3"])
    runs: list[str] = []

    def counting(name: str, segment: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def run(values: Tensor) -> Tensor:
            runs.append(name)
            return segment(values)

        return run

    first._segments = {n: counting(n, s) for n, s in first._segments.items()}
    first_BCHW, second_BCHW = photographs(2), photographs(3)
    with torch.inference_mode():
        for _ in range(3):
            first.until("blocks.1")(first_BCHW)
        assert runs == ["blocks.1"]
        first.until("blocks.3")(first_BCHW).fill_(7)  # the caller's own
        kept = first.until("blocks.3")(first_BCHW)
        assert runs == ["blocks.1", "blocks.3"]
        assert not torch.equal(kept, torch.full_like(kept, 7))
        first.until("blocks.3")(second_BCHW)
        assert runs == ["blocks.1", "blocks.3"] * 2
