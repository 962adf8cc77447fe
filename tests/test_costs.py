import pytest

import mixqual
from mixqual.config import BackboneConfig
from mixqual.errors import BackboneError, StudyError
from mixqual.networks import load_backbone


def rows(backbone: str, classes: str, experts: int = 3, size: int = 224) -> dict[str, dict]:
    found = mixqual.cost(backbone, classes, experts=experts, size=size)
    assert [row["variant"] for row in found] == ["single", "independent"]
    assert all(row.keys() == {"variant", "branch", "params", "macs"} for row in found)
    return {row["variant"]: row for row in found}


def test_the_head_is_the_only_difference_between_numbers_of_classes() -> None:
    """test_efficientnet ends in 256 features: each class more is 257 parameters and 256 MACs."""
    few, many = (rows("timm/test_efficientnet", classes)["single"] for classes in ("4", "104"))
    assert many["params"] - few["params"] == 100 * 257
    assert many["macs"] - few["macs"] == 100 * 256


def test_parameters_are_those_of_the_library() -> None:
    config = BackboneConfig(name="timm/test_resnet", weights="random")
    own = sum(p.numel() for p in load_backbone(config)[0].parameters())
    assert rows("timm/test_resnet", "1000", size=32)["single"]["params"] == own


def test_several_numbers_of_classes_are_averaged() -> None:
    each = [rows("timm/test_efficientnet", n)["single"]["params"] for n in ("4", "10", "31")]
    mean = rows("timm/test_efficientnet", "4, 10,31")["single"]["params"]
    assert mean == round(sum(each) / 3)


@pytest.mark.parametrize("experts", [2, 3, 5])
def test_the_mixture_has_all_experts_and_a_gate_of_table_1(experts: int) -> None:
    found = rows("timm/test_efficientnet", "4", experts=experts, size=64)
    gate = found["independent"]["params"] - experts * found["single"]["params"]
    assert gate == 98_531 + (experts - 3) * 17


def test_the_gate_s_multiplications_at_224() -> None:
    """Table 1 by hand: output pixels times filters times input channels times window."""
    found = rows("timm/test_efficientnet", "4")
    layers = [  # pixels a side, filters, channels, window
        *((224, 16, 3, 9), (112, 32, 16, 9), (56, 64, 32, 9), (28, 64, 64, 9)),
        *((14, 64, 64, 9), (14, 16, 64, 1), (14, 3, 16, 1)),
    ]
    expected = sum(side**2 * filters * channels * w for side, filters, channels, w in layers)
    assert found["independent"]["macs"] - 3 * found["single"]["macs"] == expected
    assert round(expected / 1e9, 3) == 0.174


def test_refuses() -> None:
    with pytest.raises(StudyError, match="--classes ten: write a number"):
        mixqual.cost("vgg16", "ten", experts=3, size=224)
    with pytest.raises(BackboneError, match="known to neither"):
        mixqual.cost("vgg61", "10", experts=3, size=224)
