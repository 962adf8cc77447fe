import timm
import torch
import torchvision
from PIL import Image
from small_elpv import cell
from torchvision.transforms.functional import pil_to_tensor

from mixqual.config import BackboneConfig
from mixqual.networks import Classifier, backbone_preprocessing

PACKAGED = BackboneConfig(name="timm/tf_efficientnet_lite0", weights="packaged")


class _Passthrough(torch.nn.Module):
    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        return images_BCHW


def test_packaged_weights_see_x_minus_127_over_128_exactly() -> None:
    classifier = Classifier(_Passthrough(), backbone_preprocessing(PACKAGED))
    values_BCHW = torch.arange(256.0).expand(1, 3, 1, 256)
    assert torch.equal(classifier(values_BCHW), (values_BCHW - 127) / 128)


def test_torchvision_weights_see_what_their_own_transform_makes() -> None:
    config = BackboneConfig(name="resnet18", weights="random")
    found = backbone_preprocessing(config)
    image = Image.fromarray(cell(0, 0, 224)).convert("RGB")
    transform = torchvision.models.ResNet18_Weights.DEFAULT.transforms(
        crop_size=224, resize_size=224
    )
    classifier = Classifier(_Passthrough(), found)
    normalised_BCHW = classifier(pil_to_tensor(image)[None].float())
    torch.testing.assert_close(normalised_BCHW[0], transform(image), atol=2e-6, rtol=0)
    assert found.interpolation == "bilinear"


def test_timm_weights_see_what_timm_s_own_transform_makes() -> None:
    config = BackboneConfig(name="timm/mixnet_s", weights="random")
    network = timm.create_model("mixnet_s", pretrained=False)
    own = timm.data.resolve_model_data_config(network)
    transform = timm.data.create_transform(**{**own, "crop_pct": 1.0})
    image = Image.fromarray(cell(0, 0, 224)).convert("RGB")
    found = backbone_preprocessing(config)
    normalised_BCHW = Classifier(_Passthrough(), found)(pil_to_tensor(image)[None].float())
    torch.testing.assert_close(normalised_BCHW[0], transform(image), atol=2e-6, rtol=0)
    assert found.interpolation == own["interpolation"] == "bicubic"


def test_a_timm_network_may_have_statistics_of_its_own() -> None:
    found = backbone_preprocessing(BackboneConfig(name="timm/vit_base_patch16_224"))
    assert (found.mean, found.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
