"""Gradient ascent on the pixels, on real networks at small sizes."""

import pytest
import torch
from torch import Tensor, nn

from mixqual.config import BackboneConfig
from mixqual.errors import BackboneError, StudyError
from mixqual.networks import Classifier, Preprocessing, blank_classifier, build_classifier
from mixqual.neurons import FORMS, Ascent, Responses, count_units, respond

LITE0 = "timm/tf_efficientnet_lite0"
SIZE = 64
UNITS = (0, 3, 7)


@pytest.fixture(scope="module")
def lite0() -> Classifier:
    """EfficientNet-Lite0 with the weights of the demo."""
    torch.set_num_threads(1)
    return build_classifier(BackboneConfig(name=LITE0, weights="packaged"), 4, seed=0).eval()


@pytest.fixture(scope="module", params=FORMS)
def climbed(request: pytest.FixtureRequest, lite0: Classifier) -> Responses:
    ascent = Ascent(request.param, steps=16)
    return respond(lite0, LITE0, "blocks.2", UNITS, SIZE, ascent)


def stage_by_hand(network: Classifier, images_BCHW: Tensor) -> Tensor:
    """The mean of each channel behind "blocks.2", by the backbone's own modules."""
    backbone = network.backbone
    with torch.inference_mode():
        x = backbone.bn1(backbone.conv_stem((images_BCHW - network.mean) / network.std))
        return backbone.blocks[:3](x).mean((2, 3))


class TestAscent:
    def test_raises_every_living_unit_five_fold(self, climbed: Responses) -> None:
        assert not climbed.off_U.any()
        assert climbed.ratio_U.min() >= 5

    def test_images_have_the_activations_that_are_told(
        self, climbed: Responses, lite0: Classifier
    ) -> None:
        by_hand_UC = stage_by_hand(lite0, climbed.images_UCHW)
        torch.testing.assert_close(
            climbed.end_U, by_hand_UC[range(len(UNITS)), UNITS], rtol=1e-4, atol=1e-4
        )

    def test_each_image_raises_its_own_unit_most(
        self, climbed: Responses, lite0: Classifier
    ) -> None:
        others_UU = stage_by_hand(lite0, climbed.images_UCHW)[:, UNITS]
        assert others_UU.argmax(0).tolist() == list(range(len(UNITS)))

    def test_images_stay_in_the_range_of_pixels(self, climbed: Responses) -> None:
        assert climbed.images_UCHW.shape == (len(UNITS), 3, SIZE, SIZE)
        assert climbed.images_UCHW.min() >= 0
        assert climbed.images_UCHW.max() <= 255

    def test_regularised_images_are_smoother(self, lite0: Classifier) -> None:
        """Neighbouring pixels differ less, measured against how much all pixels differ."""

        def roughness(form: str) -> float:
            images = respond(lite0, LITE0, "blocks.1", [0], 32, Ascent(form, steps=8)).images_UCHW
            return float(images.diff(dim=3).std() / images.std())

        assert roughness("regularised") < 0.8 * roughness("plain")


@pytest.mark.parametrize("form", FORMS)
def test_one_seed_gives_identical_images_and_another_does_not(lite0: Classifier, form: str) -> None:
    first, again, other = (
        respond(lite0, LITE0, "blocks.1", [2, 5], 32, Ascent(form, steps=4, seed=seed)).images_UCHW
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("form", FORMS)
def test_a_batch_gives_what_each_unit_gives_alone(form: str) -> None:
    """In double precision, as steps of a fixed length make much of differences in rounding."""
    network = blank_classifier(BackboneConfig(name="timm/test_resnet", weights="random"), 4)
    network = network.double().eval()
    ascent = Ascent(form, steps=8)
    batch = respond(network, "tiny", "layer2", [4, 0, 9], 32, ascent)
    for place, unit in enumerate((4, 0, 9)):
        alone = respond(network, "tiny", "layer2", [unit], 32, ascent)
        torch.testing.assert_close(
            batch.images_UCHW[place], alone.images_UCHW[0], rtol=0, atol=1e-6
        )
        assert batch.end_U[place].item() == pytest.approx(alone.end_U.item(), rel=1e-9)


def test_more_units_than_a_batch_holds(lite0: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = respond(lite0, LITE0, "blocks.0", [1, 2, 3], 32, Ascent(steps=2))
    monkeypatch.setattr("mixqual.neurons._MOST_UNITS", 2)
    parts = respond(lite0, LITE0, "blocks.0", [1, 2, 3], 32, Ascent(steps=2))
    torch.testing.assert_close(parts.images_UCHW, whole.images_UCHW, rtol=0, atol=0.01)


@pytest.fixture(scope="module")
def vgg16() -> Classifier:
    return blank_classifier(BackboneConfig(name="vgg16", weights="random"), 4).eval()


class TestStages:
    def test_conv5_1_of_vgg16_is_a_convolution_and_its_relu(self, vgg16: Classifier) -> None:
        assert count_units(vgg16, "vgg16", "conv5_1", 32) == 512
        found = respond(vgg16, "vgg16", "conv5_1", [0, 100, 511], 32, Ascent(steps=3))
        normalised_UCHW = (found.images_UCHW - vgg16.mean) / vgg16.std
        with torch.inference_mode():
            maps_UCHW = vgg16.backbone.features[:26](normalised_UCHW)
        by_hand_U = maps_UCHW.mean((2, 3))[range(3), [0, 100, 511]]
        torch.testing.assert_close(found.end_U, by_hand_U, rtol=1e-4, atol=1e-6)

    def test_a_convolution_within_a_block_ends_with_its_own_relu(self, lite0: Classifier) -> None:
        """The counterpart of Conv5_1, whose neurons can be turned off; a block has no ReLU last."""
        stage = "blocks.5.0.conv_pw"
        assert count_units(lite0, LITE0, stage, 32) == 672
        found = respond(lite0, LITE0, stage, [0, 300, 671], 32, Ascent(steps=2))
        backbone, block = lite0.backbone, lite0.backbone.blocks[5][0]
        with torch.inference_mode():
            x = (found.images_UCHW - lite0.mean) / lite0.std
            x = backbone.blocks[:5](backbone.bn1(backbone.conv_stem(x)))
            x = block.conv_pw(x)
            norm = block.bn1
            x = nn.functional.batch_norm(
                x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
            )
            by_hand_U = x.clamp(0, 6).mean((2, 3))[range(3), [0, 300, 671]]
        torch.testing.assert_close(found.end_U, by_hand_U, rtol=1e-4, atol=1e-4)

    def test_units_of_a_linear_layer_are_its_values(self, vgg16: Classifier) -> None:
        assert count_units(vgg16, "vgg16", "fc7", 32) == 4096
        assert count_units(vgg16, "vgg16", "fc8", 32) == 4
        found = respond(vgg16, "vgg16", "fc8", [3], 32, Ascent(steps=2))
        with torch.inference_mode():
            logits_BK = vgg16(found.images_UCHW)
        assert found.end_U.item() == pytest.approx(logits_BK[0, 3].item(), abs=1e-5)

    @pytest.mark.parametrize(("backbone", "units"), [("timm/test_vit", 64), ("swin_t", 192)])
    def test_units_of_transformers_are_features_of_tokens(self, backbone: str, units: int) -> None:
        """The channels of both are the last axis, in swin_t behind a map of two sides."""
        network = blank_classifier(BackboneConfig(name=backbone, weights="random"), 4).eval()
        size = 160 if "vit" in backbone else 64
        stage = {"timm/test_vit": "blocks.1", "swin_t": "features.3"}[backbone]
        assert count_units(network, backbone, stage, size) == units

    def test_unknown_stages_are_refused_with_those_there_are(self, vgg16: Classifier) -> None:
        with pytest.raises(BackboneError, match=r"no branch point 'conv6_1'; it has conv1_2, "):
            respond(vgg16, "vgg16", "conv6_1", [0], 32, Ascent(steps=1))

    @pytest.mark.parametrize("unit", [512, -1])
    def test_unknown_units_are_refused_with_those_there_are(
        self, vgg16: Classifier, unit: int
    ) -> None:
        with pytest.raises(StudyError) as error:
            respond(vgg16, "vgg16", "conv5_1", [3, unit], 32, Ascent(steps=1))
        assert str(error.value) == (f"conv5_1 of vgg16 has no unit {unit}; its units are 0 to 511")


class Rising(nn.Module):
    """Channels by hand: brightness, darkness, one that is always off, and a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 3, 1, bias=False)
        self.wide = nn.Conv2d(3, 4, 1)
        self.middle, self.head = nn.Conv2d(4, 4, 1), nn.Linear(4, 4)
        with torch.no_grad():
            self.stem.weight.copy_(torch.eye(3)[:, :, None, None])
            self.wide.weight.copy_(
                torch.tensor([1.0, -1, 1, 0])[:, None, None, None].expand(4, 3, 1, 1)
            )
            self.wide.bias.copy_(torch.tensor([0.0, 3, -9, 2]))

    def forward(self, x: Tensor) -> Tensor:
        x = self.wide(self.stem(x)).relu()
        logits_BK: Tensor = self.head(self.middle(x).mean((2, 3)))
        return logits_BK


class TestOff:
    @pytest.fixture
    def found(self) -> Responses:
        """Pixels become 0 to 1 each, so that brightness is at most 3."""
        network = Classifier(Rising(), Preprocessing((0.0,) * 3, (1.0,) * 3, "bilinear")).eval()
        return respond(network, "by hand", "wide", [0, 1, 2, 3], 8, Ascent(steps=64))

    def test_units_that_nothing_raises_are_off(self, found: Responses) -> None:
        assert found.off_U.tolist() == [False, False, True, True]
        assert found.ratio_U[2:].tolist() == [1, 1]

    def test_the_images_of_the_others_are_the_best_there_are(self, found: Responses) -> None:
        assert found.images_UCHW[0].unique().tolist() == [255]
        assert found.images_UCHW[1].unique().tolist() == [0]
        assert found.end_U.tolist() == pytest.approx([3, 3, 0, 2])
        assert found.ratio_U[:2].tolist() == pytest.approx([2, 2], abs=0.02)

    def test_a_real_unit_killed_by_hand_is_off(self, lite0: Classifier) -> None:
        killed = blank_classifier(BackboneConfig(name=LITE0, weights="random"), 4).eval()
        killed.load_state_dict(lite0.state_dict())
        norm = killed.backbone.blocks[2][0].bn2  # after the depthwise convolution, before a ReLU6
        with torch.no_grad():
            norm.weight[5], norm.bias[5] = 0, -1
        stage, units = "blocks.2.0.conv_dw", [4, 5, 6]
        alive = respond(lite0, LITE0, stage, units, 32, Ascent(steps=8))
        dead = respond(killed, LITE0, stage, units, 32, Ascent(steps=8))
        assert alive.off_U.tolist() == [False, False, False]
        assert dead.off_U.tolist() == [False, True, False]
        assert (dead.start_U[1], dead.end_U[1]) == (0, 0)

    def test_ratios_have_a_meaning_at_and_below_zero(self) -> None:
        start_U = torch.tensor([2.0, 0.0, -1.0, 0.001])
        end_U = torch.tensor([6.0, 5.0, 4.0, 0.001])
        found = Responses(torch.zeros(4, 3, 1, 1), start_U, end_U, end_U, floor=0.01)
        assert found.ratio_U.tolist() == pytest.approx([3, 501, 6, 1])
        assert found.off_U.tolist() == [False, False, False, True]


def test_the_network_is_left_as_it_was() -> None:
    network = blank_classifier(BackboneConfig(name="timm/test_resnet", weights="random"), 4)
    network.train()
    network.backbone.layer1.eval()
    network.backbone.conv1.requires_grad_(False)

    def state() -> list[tuple[object, ...]]:
        modes = [(name, module.training) for name, module in network.named_modules()]
        grads = [(name, p.requires_grad, p.grad) for name, p in network.named_parameters()]
        return modes + grads

    before = state()
    tensors = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    respond(network, "tiny", "layer1", [0], 32, Ascent("regularised", steps=4))
    with pytest.raises(StudyError):
        respond(network, "tiny", "layer1", [10**6], 32, Ascent())
    assert state() == before
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, tensors[name])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"form": "sharp"}, "form 'sharp': choose plain or regularised"),
        ({"steps": 0}, "steps 0: an ascent takes at least 1 step"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        Ascent(**settings)  # type: ignore[arg-type]
