import pytest
import torch
from torchvision.transforms.v2.functional import normalize

from mixqual.errors import BackboneError
from mixqual.networks.input_scaling import parse_scaling

IMAGES_BCHW = 255 * torch.rand(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("text", "mean", "std"),
    [
        ("unit", [0.0] * 3, [1.0] * 3),
        ("imagenet", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ("0.5,0.25", [0.5] * 3, [0.25] * 3),
        ("0.1, 0.2, 0.3, 0.4, 0.5, 1", [0.1, 0.2, 0.3], [0.4, 0.5, 1.0]),
    ],
)
def test_scales_as_torchvision_normalises_images_of_0_to_1(
    text: str, mean: list[float], std: list[float]
) -> None:
    expected_BCHW = normalize(IMAGES_BCHW / 255, mean, std)
    torch.testing.assert_close(parse_scaling(text)(IMAGES_BCHW), expected_BCHW, rtol=0, atol=1e-5)


def test_raw_changes_nothing() -> None:
    assert parse_scaling("raw")(IMAGES_BCHW) is IMAGES_BCHW


def test_says_in_words_what_it_does() -> None:
    assert str(parse_scaling("raw")) == "raw: grey levels of 0 to 255"
    assert str(parse_scaling("0.5,0.25")) == "0.5,0.25: (grey level / 255 - (0.5)) / (0.25)"
    assert "(0.485, 0.456, 0.406)" in str(parse_scaling("imagenet"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("caffe", "'caffe' is unknown; write"),
        ("", "'' is unknown"),
        ("0.5", "has 1 numbers"),
        ("0.5,0.5,0.5", "has 3 numbers"),
        ("127.5,127.5", "divide grey levels by 255"),
        ("0.5,0", "above 0"),
        ("0.5,nan", "above 0"),
    ],
)
def test_refuses_what_is_no_scaling(text: str, message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        parse_scaling(text)
