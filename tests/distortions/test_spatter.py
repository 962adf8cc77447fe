import pytest
import torch
from sample_pixels import levels, pixels

from mixqual.distortions import distortion
from mixqual.errors import DistortionError

COLOURS = {"water": (175.0, 238.0, 238.0), "mud": (63.0, 42.0, 20.0)}
OPACITIES = {"water": 0.6, "mud": 1.0}
every_kind = pytest.mark.parametrize("kind", COLOURS)


def colour_of(kind: str) -> torch.Tensor:
    return torch.tensor(COLOURS[kind], dtype=torch.float64)[:, None, None]


@every_kind
@pytest.mark.parametrize("level", [0.03, 0.2, 0.5, 0.9])
def test_drops_cover_the_share_that_the_level_says(kind: str, level: float) -> None:
    images_BCHW = torch.full((32, 3, 96, 96), 255.0)
    wet_BCHW = distortion("spatter", kind=kind)(
        images_BCHW, levels(*[level] * 32), keys_B=torch.arange(32)
    )
    covered = (wet_BCHW != images_BCHW).any(1).double().mean()
    # About 20 pixels are alike (bumps of 1.28 pixels): some 450 independent places in an image.
    assert abs(float(covered) - level) < 5 * (level * (1 - level) / (32 * 450)) ** 0.5


@every_kind
def test_drops_only_grow_and_hide_no_more_than_their_opacity(kind: str) -> None:
    images_BCHW, keys_B = pixels((3, 3, 40, 30), torch.float64), torch.arange(3)
    gap_BCHW = (colour_of(kind) - images_BCHW).abs()
    before_BCHW = gap_BCHW
    for level in (0.01, 0.1, 0.101, 0.5, 0.9, 1.0):
        wet_BCHW = distortion("spatter", kind=kind)(
            images_BCHW, levels(*[level] * 3), keys_B=keys_B
        )
        left_BCHW = (colour_of(kind) - wet_BCHW).abs()
        assert (left_BCHW <= before_BCHW + 1e-4).all()
        assert left_BCHW.mean() < before_BCHW.mean()
        before_BCHW = left_BCHW
    torch.testing.assert_close(before_BCHW, (1 - OPACITIES[kind]) * gap_BCHW, rtol=0, atol=1e-4)


def test_mud_has_narrower_rims_than_water() -> None:
    black_BCHW = torch.zeros(4, 1, 96, 96)
    shares = []
    for kind in ("water", "mud"):
        wet_BCHW = distortion("spatter", kind=kind)(
            black_BCHW, levels(*[0.3] * 4), keys_B=torch.arange(4)
        )
        shares.append(float((wet_BCHW > 0.99 * wet_BCHW.max()).sum() / (wet_BCHW > 0).sum()))
    # Of the normal law above its upper 30 %: P(z > 0.524 + 1) / 0.3 and P(z > 0.524 + 0.15) / 0.3.
    assert shares == pytest.approx([0.21, 0.83], abs=0.06)


def test_drops_lie_at_the_same_places_whatever_they_are_of() -> None:
    white_BCHW = torch.full((2, 1, 64, 48), 255.0)
    wet, muddy = (
        distortion("spatter", kind=kind)(white_BCHW, levels(0.1, 0.4), keys_B=torch.arange(2))
        for kind in ("water", "mud")
    )
    assert torch.equal(wet != white_BCHW, muddy != white_BCHW)


@pytest.mark.parametrize("kind", ["oil", "Water", "", 1, None, True, ["mud"]])
def test_another_liquid_is_refused(kind: object) -> None:
    with pytest.raises(DistortionError, match='spatter: kind is "water" or "mud", not'):
        distortion("spatter", kind=kind)


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1)])
def test_any_size_is_spattered(shape: tuple[int, int]) -> None:
    white_BCHW = torch.full((200, 1, *shape), 255.0)
    wet_BCHW = distortion("spatter")(white_BCHW, levels(*[0.5] * 200), keys_B=torch.arange(200))
    covered = (wet_BCHW[:, 0, 0, 0] < 255).double().mean()
    assert abs(float(covered) - 0.5) < 5 * 0.5 / 200**0.5
