import tomllib
from pathlib import Path
from urllib.parse import urlparse

import pytest
import torch
import torchvision

from mixqual.config import BackboneConfig
from mixqual.errors import BackboneError
from mixqual.networks import check_backbone, load_backbone, weights_to_fetch

STUDIES = sorted((Path(__file__).parents[2] / "studies").glob("*.toml"))


def default(name: str) -> BackboneConfig:
    return BackboneConfig(name=name, weights="default")


@pytest.fixture(autouse=True)
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def test_of_torchvision_are_where_it_looks(tmp_path: Path) -> None:
    """It takes a file that is put there, and fetches none."""
    weights = weights_to_fetch(default("torchvision/mobilenet_v3_small"))
    assert weights is not None
    url = torchvision.models.MobileNet_V3_Small_Weights.DEFAULT.url
    assert weights.source == url
    assert weights.folder == tmp_path / "torch" / "hub" / "checkpoints"
    assert f"put {Path(urlparse(url).path).name} into {weights.folder}" in weights.remedy
    assert "10 MB" in str(weights)
    weights.folder.mkdir(parents=True)
    network = torchvision.models.mobilenet_v3_small()
    torch.save(network.state_dict(), weights.folder / weights.file)
    assert weights_to_fetch(default("torchvision/mobilenet_v3_small")) is None
    loaded, _ = load_backbone(default("torchvision/mobilenet_v3_small"))
    assert torch.equal(loaded.classifier[3].weight, network.classifier[3].weight)


def test_of_timm_are_where_its_hub_keeps_them(tmp_path: Path) -> None:
    config = default("timm/test_efficientnet")
    weights = weights_to_fetch(config)
    assert weights is not None
    assert weights.source == "timm/test_efficientnet.r160_in1k"
    assert (
        f"copy {tmp_path / 'hub'} from where `hf download {weights.source}` has" in weights.remedy
    )
    repository = tmp_path / "hub" / "models--timm--test_efficientnet.r160_in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    (repository / "snapshots" / ("0" * 40)).mkdir(parents=True)
    (repository / "snapshots" / ("0" * 40) / "model.safetensors").touch()
    assert weights_to_fetch(config) is None


def test_that_cannot_be_fetched_are_named_with_what_to_do() -> None:
    message = (
        r"timm's test_efficientnet \(model.safetensors, from timm/test_\S+\) could not be fetche"
    )
    with pytest.raises(BackboneError, match=message):
        load_backbone(default("timm/test_efficientnet"))


def test_that_nobody_has_are_refused_when_a_study_is_planned() -> None:
    config = default("timm/botnet50ts_256")
    for use in (lambda: check_backbone(config, 256), lambda: load_backbone(config)):
        with pytest.raises(BackboneError, match=r"timm has no weights for botnet50ts_256; set it"):
            use()


@pytest.mark.parametrize("weights", ["random", "packaged"])
def test_others_need_no_fetching(weights: str) -> None:
    config = BackboneConfig(name="timm/tf_efficientnet_lite0", weights=weights)
    assert weights_to_fetch(config) is None


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.stem)
def test_studies_name_those_to_fetch(study: Path) -> None:
    text = study.read_text()
    weights = weights_to_fetch(BackboneConfig(**tomllib.loads(text)["backbone"]))
    if weights:
        notes = text[text.index("# To fetch:") : text.index("[data]")]
        assert weights.file in notes
        assert f"{weights.megabytes:.0f} MB" in notes
        assert "/".join(weights.folder.parts[-2:]) in notes
