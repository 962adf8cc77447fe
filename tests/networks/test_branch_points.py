import pytest
import torch
from hand_made import Skipping, classifier
from torch import Tensor, nn

from mixqual.config import BackboneConfig
from mixqual.errors import BackboneError
from mixqual.networks import Classifier, build_classifier
from mixqual.networks.branch_points import BranchPoint, branch_points, find_branch_point
from mixqual.networks.graph import trace


def without_weights(name: str) -> Classifier:
    with torch.device("meta"):
        return build_classifier(BackboneConfig(name=name, weights="random"), 4, seed=0)


def points_of(name: str) -> list[BranchPoint]:
    return branch_points(trace(without_weights(name)))


# The paper's names: conv[block]_[number in the block], and the linear layers counted on from there.
VGG = {
    "vgg11": "conv2_1 conv3_1 conv3_2 conv4_1 conv4_2 conv5_1 conv5_2 fc6 fc7 fc8",
    "vgg16": (
        "conv1_2 conv2_1 conv2_2 conv3_1 conv3_2 conv3_3 conv4_1 conv4_2 conv4_3 "
        "conv5_1 conv5_2 conv5_3 fc6 fc7 fc8"
    ),
    "vgg16_bn": (
        "conv1_2 conv2_1 conv2_2 conv3_1 conv3_2 conv3_3 conv4_1 conv4_2 conv4_3 "
        "conv5_1 conv5_2 conv5_3 fc6 fc7 fc8"
    ),
    "vgg19": (
        "conv1_2 conv2_1 conv2_2 conv3_1 conv3_2 conv3_3 conv3_4 conv4_1 conv4_2 conv4_3 conv4_4 "
        "conv5_1 conv5_2 conv5_3 conv5_4 fc6 fc7 fc8"
    ),
}


@pytest.mark.parametrize("name", VGG)
def test_vgg_has_the_papers_names(name: str) -> None:
    assert [point.name for point in points_of(name)] == VGG[name].split()


# What each layer gets at 224 pixels, by Simonyan and Zisserman's Table 1: blocks of 64, 128, 256,
# 512 and 512 channels, each of half the side of the one before.
CROSSING = {
    "conv1_2": (64, 224, 224),
    "conv2_1": (64, 112, 112),
    "conv2_2": (128, 112, 112),
    "conv3_1": (128, 56, 56),
    "conv4_1": (256, 28, 28),
    "conv4_3": (512, 28, 28),
    "conv5_1": (512, 14, 14),
    "fc6": (25_088,),
    "fc7": (4096,),
    "fc8": (4096,),
}


@pytest.mark.parametrize("name", ["vgg16", "vgg16_bn"])
def test_a_stage_of_vgg_gets_pooled_features_after_their_relu(name: str) -> None:
    traced = trace(without_weights(name).eval())
    images_BCHW = torch.zeros(1, 3, 224, 224, device="meta")
    for point in branch_points(traced):
        before, after = traced.segment(None, point.tensor), traced.segment(point.tensor, None)
        if point.name in CROSSING:
            assert before(images_BCHW).shape[1:] == CROSSING[point.name]
        kinds = [type(module).__name__ for module in after.modules() if not list(module.children())]
        assert kinds[0] == ("Linear" if point.name.startswith("fc") else "Conv2d")


def test_residual_networks_are_cut_between_their_blocks() -> None:
    assert [point.name for point in points_of("resnet18")] == [
        *("layer1", "layer1.1", "layer2", "layer2.1", "layer3", "layer3.1", "layer4", "layer4.1"),
        "fc",
    ]


def test_efficientnet_lite_is_cut_at_its_blocks_and_its_head() -> None:
    names = [point.name for point in points_of("timm/tf_efficientnet_lite0")]
    stages = [*(f"blocks.{index}" for index in range(7)), "conv_head", "classifier"]
    assert [name for name in names if name in stages] == stages
    # Blocks after the first of a stage have a skip, and no point inside; 15 blocks in all.
    blocks = [1, 2, 2, 3, 3, 4, 1]
    inner = [f"blocks.{s}.{b}" for s, count in enumerate(blocks) for b in range(1, count)]
    assert [name for name in names if name.count(".") == 2] == inner
    assert not [name for name in names if any(name.startswith(f"{block}.") for block in inner)]


@pytest.mark.parametrize("part", ["blocks.5", "blocks.5.0", "blocks.5.0.conv_pw"])
def test_a_point_answers_to_all_modules_that_begin_there(part: str) -> None:
    points = points_of("timm/tf_efficientnet_lite0")
    found = find_branch_point(points, part, "lite0")
    assert found.name == "blocks.5"
    assert [point for point in points if part in point.aliases] == [found]


def test_the_papers_points_answer_to_the_paths_of_their_layers() -> None:
    points = points_of("vgg16")
    for alias, name in {
        "features.17": "conv4_1",
        "classifier": "fc6",
        "classifier.6": "fc8",
    }.items():
        assert find_branch_point(points, alias, "vgg16").name == name


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    points = branch_points(trace(classifier(Skipping())))
    with pytest.raises(BackboneError) as error:
        find_branch_point(points, "conv9", "skipping")
    assert str(error.value) == (
        "skipping has no branch point 'conv9'; it has blocks.0, blocks.1, blocks.2, fc1, fc2"
    )


class Scaling(nn.Module):
    """Scales after each layer of a stage, outside of it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(4)))
        self.stage = nn.ModuleList(nn.Conv2d(3, 3, 1) for _ in range(3))
        self.fc = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for layer in self.stage:
            x = layer(x) * 2
        logits_BK: Tensor = self.fc(x.mean((2, 3)))
        return logits_BK


def test_operations_between_the_layers_of_a_stage_do_not_double_its_name() -> None:
    names = [point.name for point in branch_points(trace(classifier(Scaling())))]
    assert names == ["stem.1", "stem.2", "stem.3", "stage", "stage.1", "stage.2", "fc"]


ZOO = [
    *("mobilenet_v3_small", "densenet121", "timm/test_resnet", "timm/test_convnext"),
    *("timm/test_vit", "timm/test_nfnet", "timm/test_coatnet", "timm/mobilevit_xxs"),
]


@pytest.mark.parametrize("name", ZOO)
def test_names_are_those_of_modules_each_once_and_in_order(name: str) -> None:
    network = without_weights(name)
    points = branch_points(trace(network))
    names = [point.name for point in points]
    assert len(set(names)) == len(names) > 0
    assert all(find_branch_point(points, point.name, name) is point for point in points)
    # In all of these, modules are registered in the order in which they are called.
    modules = [path for path, _ in network.backbone.named_modules()]
    assert sorted(names, key=modules.index) == names
