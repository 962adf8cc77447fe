"""Distortions that a user brings, as they would: modules in the current folder."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from sample_pixels import levels, pixels

from mixqual.distortions import distortion
from mixqual.errors import DistortionError, InvalidLevelError

MODULE = """
import torch
from mixqual.distortions import Distortion

def dim(images_BCHW, levels_B, floor=0.0):
    return (images_BCHW - levels_B.to(images_BCHW)[:, None, None, None]).clamp_min(floor)

def grain(images_BCHW, levels_B, *, seeds_B):
    result = images_BCHW.clone()
    for image, level, seed in zip(result, levels_B.tolist(), seeds_B.tolist()):
        image += level * torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))
    return result

def crops(images_BCHW, levels_B):
    return images_BCHW[..., 1:]

def divides(images_BCHW, levels_B):
    return images_BCHW / 0

def spoils(images_BCHW, levels_B):
    images_BCHW.zero_()
    levels_B.zero_()
    return images_BCHW

class Fade(Distortion):
    name = "fade"
    unit = "share"
    clean_level = 1.0
    worst_level = 0.0

    def apply(self, images_BCHW, levels_B, *, seed, keys_B):
        return images_BCHW * levels_B.to(images_BCHW)[:, None, None, None]

NUMBER = 3
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_camera", raising=False)  # of another test
    path = tmp_path / "my_camera.py"
    path.write_text(MODULE)
    return path


def test_a_function_is_a_distortion() -> None:
    kind = distortion("my_camera:dim", floor=10.0)
    images_BCHW = torch.full((3, 1, 2, 2), 90, dtype=torch.uint8)
    assert kind(images_BCHW, levels(0, 20, 85))[:, 0, 0, 0].tolist() == [90, 70, 10]
    assert not kind.random
    assert kind.name == "my_camera:dim"
    with pytest.raises(InvalidLevelError, match="my_camera:dim: level -1 "):
        kind(images_BCHW, levels(0, 0, -1))


def test_a_function_with_seeds_is_random_and_keyed_by_the_image() -> None:
    kind = distortion("my_camera:grain")
    assert kind.random
    images_BCHW = pixels((3, 3, 16, 16)).contiguous(memory_format=torch.channels_last)
    noisy_BCHW = kind(images_BCHW, levels(10, 10, 10), seed=1)
    assert noisy_BCHW.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(kind(images_BCHW[1:2], levels(10), seed=1), noisy_BCHW[1:2])
    assert not torch.equal(kind(images_BCHW, levels(10, 10, 10), seed=2), noisy_BCHW)
    assert (noisy_BCHW - images_BCHW).std().item() == pytest.approx(10, rel=0.1)


def test_a_function_cannot_spoil_its_input() -> None:
    images_BCHW, levels_B = pixels((2, 3, 4, 4)), levels(1, 2)
    before_BCHW = images_BCHW.clone()
    assert (distortion("my_camera:spoils")(images_BCHW, levels_B) == 0).all()
    assert torch.equal(images_BCHW, before_BCHW)
    assert levels_B.tolist() == [1, 2]


def test_a_class_brings_levels_of_its_own() -> None:
    kind = distortion("my_camera:Fade")
    images_BCHW = torch.full((2, 1, 2, 2), 100.0)
    assert kind(images_BCHW, levels(1.0, 0.25))[:, 0, 0, 0].tolist() == [100, 25]


def test_a_changed_file_has_another_fingerprint(module: Path) -> None:
    before = distortion("my_camera:dim").fingerprint
    assert distortion("my_camera:dim").fingerprint == before
    module.write_text(MODULE + "\n")
    assert distortion("my_camera:dim").fingerprint != before


def test_a_changed_file_that_it_imports_has_another_fingerprint(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = distortion("my_camera:dim").fingerprint
    fingerprints = {alone}
    for how in ("import my_lens", "from my_lens import Lens"):
        module.write_text(f"{MODULE}\n{how}\n")
        for width in (1, 2):
            module.with_name("my_lens.py").write_text(f"WIDTH = {width}\nclass Lens: pass\n")
            for name in ("my_camera", "my_lens"):
                monkeypatch.delitem(sys.modules, name, raising=False)
            fingerprints.add(distortion("my_camera:dim").fingerprint)
    assert len(fingerprints) == 1 + 2 * 2


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("my_camera:absent", {}, "cannot be imported .*absent.*module:function"),
        ("no_such_module:f", {}, "cannot be imported .*no_such_module"),
        (":f", {}, "cannot be imported"),
        ("my_camera:NUMBER", {}, "is a int; name a function"),
        ("my_camera:dim", {"ceiling": 3}, "unusable options .*ceiling"),
        ("my_camera:Fade", {"ceiling": 3}, "unusable options .*"),
        ("pathlib:Path", {}, "is a type; name a function"),
    ],
)
def test_what_cannot_be_used_is_refused(name: str, options: dict[str, int], message: str) -> None:
    with pytest.raises(DistortionError, match=message):
        distortion(name, **options)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("crops", r"must return images of shape \(2, 3, 4, 4\), not \(2, 3, 4, 3\)"),
        ("divides", "returned pixels that are NaN or infinite"),
    ],
)
def test_a_function_that_misbehaves_is_named(name: str, message: str) -> None:
    with pytest.raises(DistortionError, match=f"my_camera:{name} {message}"):
        distortion(f"my_camera:{name}")(pixels((2, 3, 4, 4)), levels(1, 1))


# albumentations


def test_a_transform_of_albumentations_at_a_level() -> None:
    kind = distortion("albumentations:MedianBlur", blur_limit=["whole level", "whole level"])
    images_BCHW = pixels((3, 3, 12, 12))
    blurred_BCHW = kind(images_BCHW, levels(0, 3, 5))
    assert torch.equal(blurred_BCHW[0], images_BCHW[0])
    for index, side in ((1, 3), (2, 5)):
        pixels_HWC = images_BCHW[index].permute(1, 2, 0).to(torch.uint8).numpy()
        expected_HWC = cv2.medianBlur(np.ascontiguousarray(pixels_HWC), side)
        np.testing.assert_array_equal(blurred_BCHW[index].permute(1, 2, 0).numpy(), expected_HWC)


def test_a_random_transform_is_keyed_by_the_image() -> None:
    level = 0.2
    kind = distortion("albumentations:GaussNoise", std_range=["level", "level"])
    images_BCHW = pixels((3, 1, 32, 32))
    noisy_BCHW = kind(images_BCHW, levels(level, level, level), seed=1)
    assert noisy_BCHW.shape == images_BCHW.shape
    assert torch.equal(kind(images_BCHW[2:], levels(level), seed=1), noisy_BCHW[2:])
    assert not torch.equal(kind(images_BCHW, levels(level, level, level), seed=2), noisy_BCHW)


def test_a_transform_without_its_level_is_refused() -> None:
    with pytest.raises(DistortionError, match=r'no option has the value "level"'):
        distortion("albumentations:GaussNoise", std_range=[0.1, 0.1])


def test_a_level_that_a_transform_cannot_have_is_named() -> None:
    kind = distortion("albumentations:GaussNoise", std_range=["level", "level"])
    with pytest.raises(DistortionError, match=r"GaussNoise at level 7: "):
        kind(pixels((1, 3, 8, 8)), levels(7.0))
