import resource

import pytest

from mixqual.config import BackboneConfig
from mixqual.networks import blank_classifier, without_weights


@pytest.mark.parametrize(
    "name", ["timm/vit_giant_patch14_dinov2", "torchvision/regnet_y_128gf", "timm/resnet50"]
)
def test_shapes_alone_take_next_to_no_memory(name: str) -> None:
    """The two large networks have 4.5 and 2.6 GB of weights; the structure of one is computed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    network = without_weights(lambda: blank_classifier(BackboneConfig(name=name), 10))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert all(parameter.is_meta for parameter in network.parameters())
    assert grown < 500_000  # KiB


@pytest.mark.parametrize("name", ["torchvision/regnet_x_400mf", "timm/test_efficientnet"])
def test_shapes_are_those_of_the_network(name: str) -> None:
    config = BackboneConfig(name=name)
    shapes = without_weights(lambda: blank_classifier(config, 5)).state_dict()
    built = blank_classifier(config, 5).state_dict()
    assert {key: (t.shape, t.dtype) for key, t in shapes.items()} == {
        key: (t.shape, t.dtype) for key, t in built.items()
    }
