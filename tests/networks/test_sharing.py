import pytest
import torch
from hand_made import Deciding, Ladder, Skipping, classifier, photographs
from torch import nn

from mixqual.config import BackboneConfig
from mixqual.errors import BackboneError
from mixqual.networks import Parts, Sharing, Stages, build_classifier, stages_of

STAGES = [  # by hand: the names of the parameters of each begin with one of these
    ("stem", "norm"),
    ("blocks.0",),
    ("blocks.1",),
    ("blocks.2",),
    ("fc1",),
    ("fc2",),
]
OWN = {  # and which of the stages are the experts' own
    Sharing(until="blocks.1"): slice(2, 6),
    Sharing(until="fc2"): slice(5, 6),
    Sharing(from_="blocks.0"): slice(0, 1),
    Sharing(from_="fc1"): slice(0, 4),
    Sharing(until="blocks.1", from_="fc1"): slice(2, 4),
    Sharing(): slice(0, 6),
}


def skipping() -> Stages:
    return Stages(classifier(Skipping()), "skipping")


def label(sharing: Sharing) -> str:
    return sharing.name or "nothing"


def modules_of(parts: Parts) -> list[nn.Module]:
    return [part for part in (parts.prefix, parts.branch, parts.suffix) if part is not None]


@pytest.mark.parametrize(
    ("sharing", "name", "kind"),
    [
        (Sharing(), "", "independent"),
        (Sharing(until="conv4_1"), "tree_conv4_1", "treenet"),
        (Sharing(from_="fc6"), "inverted_fc6", "inverted"),
        (Sharing(until="conv4_1", from_="fc6"), "tree_conv4_1_inverted_fc6", "both"),
    ],
)
def test_names_and_kinds(sharing: Sharing, name: str, kind: str) -> None:
    assert (sharing.name, sharing.kind) == (name, kind)


# Names of branch points


def test_canonical_names_are_those_of_the_list() -> None:
    stages = skipping()
    alias = Sharing(until="blocks.1.one", from_="fc1")
    assert stages.canonical(alias) == Sharing(until="blocks.1", from_="fc1")
    assert stages.canonical(Sharing(from_="blocks.0.one")) == Sharing(from_="blocks.0")
    assert stages.canonical(Sharing()) == Sharing()
    for point in stages.points:
        assert stages.canonical(Sharing(until=point.name)) == Sharing(until=point.name)


@pytest.mark.parametrize(
    "sharing", [Sharing(until="conv1"), Sharing(from_="conv1"), Sharing("blocks.1", "conv1")]
)
def test_an_unknown_point_is_refused_with_those_there_are(sharing: Sharing) -> None:
    message = r"skipping has no branch point 'conv1'; it has blocks\.0, blocks\.1, blocks\.2, fc1"
    for use in (skipping().canonical, skipping().divide):
        with pytest.raises(BackboneError, match=message):
            use(sharing)


@pytest.mark.parametrize(
    ("until", "start"), [("fc1", "blocks.1"), ("fc1", "fc1"), ("blocks.1.one", "blocks.1")]
)
def test_some_stage_must_be_left_for_the_experts(until: str, start: str) -> None:
    first = until.removesuffix(".one")
    message = f"skipping: sharing until {first} and from {start} leaves no stage for the experts"
    for use in (skipping().canonical, skipping().divide):
        with pytest.raises(BackboneError, match=message):
            use(Sharing(until=until, from_=start))


# Dividing


@pytest.mark.parametrize("sharing", OWN, ids=label)
def test_each_parameter_is_in_one_part_and_is_the_classifier_s_own(sharing: Sharing) -> None:
    network = classifier(Skipping())
    parts = Stages(network, "skipping").divide(sharing)
    own = OWN[sharing]
    owned = {
        "prefix": STAGES[: own.start],
        "branch": STAGES[own],
        "suffix": STAGES[own.stop :],
    }
    whole = dict(network.named_parameters())
    for name, stages in owned.items():
        part = getattr(parts, name)
        found = {} if part is None else dict(part.named_parameters())
        starts = tuple(f"backbone.{start}." for stage in stages for start in stage)
        assert found.keys() == {path for path in whole if path.startswith(starts)}
        assert all(parameter is whole[path] for path, parameter in found.items())
    assert (parts.suffix is None) == (sharing.from_ is None)


def test_norms_share_their_statistics_too() -> None:
    network = classifier(Skipping())
    parts = Stages(network, "skipping").divide(Sharing(until="blocks.1", from_="blocks.2"))
    statistics = {path: buffer for path, buffer in network.named_buffers() if "running" in path}
    found = {
        path: buffer
        for part in modules_of(parts)
        for path, buffer in part.named_buffers()
        if "running" in path
    }
    assert found.keys() == statistics.keys()
    assert all(found[path].data_ptr() == buffer.data_ptr() for path, buffer in statistics.items())


@pytest.mark.parametrize("sharing", OWN, ids=label)
def test_the_parts_in_a_row_are_the_classifier(sharing: Sharing) -> None:
    network, images_BCHW = classifier(Skipping()), photographs()
    parts = Stages(network, "skipping").divide(sharing)
    with torch.inference_mode():
        logits_BK = nn.Sequential(*modules_of(parts))(images_BCHW)
        assert torch.equal(logits_BK, network(images_BCHW))


def test_a_change_of_the_classifier_is_one_of_its_parts() -> None:
    network, images_BCHW = classifier(Skipping()), photographs()
    parts = Stages(network, "skipping").divide(Sharing(from_="fc2"))
    assert parts.suffix is not None
    with torch.no_grad():
        for parameter in network.backbone.fc2.parameters():
            parameter.fill_(3.0)
        # Three in every weight and bias: all logits are alike, 3 + 3 x the sum of the features.
        features_BC = parts.branch(parts.prefix(images_BCHW))
        expected_BK = (3 + 3 * features_BC.sum(1, keepdim=True)).expand(-1, 4)
        torch.testing.assert_close(parts.suffix(features_BC), expected_BK)


@pytest.mark.parametrize(
    ("name", "side"), [("timm/test_efficientnet", 32), ("timm/test_vit", 160), ("hand-made", 16)]
)
def test_all_stages_in_a_row_are_the_classifier(name: str, side: int) -> None:
    config = BackboneConfig(name=name, weights="random")
    network = classifier(Skipping()) if name == "hand-made" else build_classifier(config, 4, 0)
    stages, images_BCHW = Stages(network.eval(), name), photographs(side=side)
    split = stages.split()
    assert len(split) == len(stages.points) + 1
    with torch.inference_mode():
        assert torch.equal(nn.Sequential(*split)(images_BCHW), network(images_BCHW))
    owners = [path for stage in split for path, _ in stage.named_parameters()]
    assert sorted(owners) == sorted(path for path, _ in network.named_parameters())


def test_the_stages_of_a_backbone_do_not_depend_on_its_weights() -> None:
    config = BackboneConfig(name="timm/test_efficientnet", weights="/nowhere.pth")
    found = stages_of(config)
    own = Stages(build_classifier(config.model_copy(update={"weights": "random"}), 4, 0), "tiny")
    assert [point.name for point in found.points] == [point.name for point in own.points]
    with pytest.raises(BackboneError, match=r"timm/test_efficientnet has no branch point 'fc6'"):
        found.canonical(Sharing(until="fc6"))


# What cannot be cut


def test_a_network_that_cannot_be_traced_is_refused_with_the_reason() -> None:
    message = r"deciding cannot be cut into stages: torch\.fx cannot trace it \(.*control flow"
    with pytest.raises(BackboneError, match=message):
        Stages(classifier(Deciding()), "deciding")


def test_a_network_without_any_cut_is_refused_with_the_reason() -> None:
    message = "ladder cannot be cut into stages: at no place does one tensor alone cross"
    with pytest.raises(BackboneError, match=message):
        Stages(classifier(Ladder()), "ladder")


# The network up to the end of a stage


@pytest.mark.parametrize(
    ("stage", "last"), [("blocks.0", 0), ("blocks.1", 1), ("blocks.1.one", 1), ("blocks.2", 2)]
)
def test_a_stage_ends_where_the_next_begins(stage: str, last: int) -> None:
    network = classifier(Skipping())
    backbone, images_BCHW = network.backbone, photographs()
    with torch.inference_mode():
        x = backbone.norm(backbone.stem((images_BCHW - network.mean) / network.std)).relu()
        expected = backbone.blocks[: last + 1](x)
        expected = expected.mean((2, 3)) if last == 2 else expected
        found = Stages(network, "skipping").until_end_of(stage)(images_BCHW)
    torch.testing.assert_close(found, expected)


def test_a_module_that_can_be_cut_within_ends_where_all_of_it_does() -> None:
    """The first block of a stage of an EfficientNet-Lite can be cut behind each convolution."""
    config = BackboneConfig(name="timm/tf_efficientnet_lite0", weights="random")
    stages = stages_of(config)
    ends = {
        "blocks.2": (40, 4, 4),
        "blocks.2.0": (40, 4, 4),
        "blocks.2.0.conv_pw": (144, 8, 8),
        "conv_head": (1280,),
        "classifier": (1000,),
    }
    with torch.no_grad():
        for stage, shape in ends.items():
            assert stages.until_end_of(stage)(torch.zeros(2, 3, 32, 32)).shape[1:] == shape


def test_the_end_of_an_unknown_stage_is_refused_with_those_there_are() -> None:
    with pytest.raises(BackboneError, match="skipping has no branch point 'fc9'; it has "):
        skipping().until_end_of("fc9")
