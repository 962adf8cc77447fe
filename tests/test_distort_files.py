import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter
from small_elpv import cell
from torchvision.datasets import ImageFolder

import mixqual
from mixqual.config import DataConfig
from mixqual.data import index_images
from mixqual.distort_files import parse_steps, write_imagenet_c
from mixqual.errors import DataError, DistortionError, StudyError
from mixqual.imagenet_c import NAMES, SEVERITIES, corruption

BLUR, NOISE = ("gaussian_blur", 3.0), ("gaussian_noise", 20.0)


def photographs(root: Path) -> Path:
    """A gray and a coloured image, the latter two folders down."""
    (root / "a" / "b").mkdir(parents=True)
    Image.fromarray(cell(0, 0, 50)).save(root / "one.png")
    colour = np.stack([cell(label, 1, 60)[:40] for label in range(3)], axis=-1)
    Image.fromarray(colour).save(root / "a" / "b" / "two.PNG")
    return root


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def distorted(plain: np.ndarray, steps: list[tuple[str, float]], seed: int) -> np.ndarray:
    images_BCHW = torch.from_numpy(np.atleast_3d(plain).copy()).permute(2, 0, 1)[None]
    for name, level in steps:
        levels_B = torch.tensor([level], dtype=torch.float64)
        images_BCHW = mixqual.distortion(name)(images_BCHW, levels_B, seed=seed)
    return images_BCHW[0].permute(1, 2, 0).numpy().reshape(plain.shape)


@pytest.mark.parametrize("steps", [[BLUR], [NOISE], [BLUR, NOISE], [NOISE, BLUR]])
def test_pixels_are_those_of_the_distortion(tmp_path: Path, steps: list[tuple[str, float]]) -> None:
    source = photographs(tmp_path / "in")
    assert mixqual.distort(source, tmp_path / "out", steps, seed=4) == (2, [])
    for name, copy in (("one.png", "one.png"), ("a/b/two.PNG", "a/b/two.png")):
        plain, found = pixels(source / name), pixels(tmp_path / "out" / copy)
        np.testing.assert_array_equal(found, distorted(plain, steps, seed=4))
        assert found.dtype == np.uint8
        assert not np.array_equal(found, plain)


def test_blur_of_a_file_is_scipy_s(tmp_path: Path) -> None:
    Image.fromarray(cell(2, 0, 64)).save(tmp_path / "x.png")
    mixqual.distort(tmp_path / "x.png", tmp_path / "y.png", [BLUR])
    expected = gaussian_filter(cell(2, 0, 64).astype(float), 3, mode="reflect", truncate=4)
    assert np.abs(pixels(tmp_path / "y.png") - expected).max() <= 0.501


def test_level_zero_copies_the_pixels(tmp_path: Path) -> None:
    source = photographs(tmp_path / "in")
    steps = [("gaussian_noise", 0.0), ("gaussian_blur", 0.0)]
    mixqual.distort(source, tmp_path / "out", steps)
    np.testing.assert_array_equal(pixels(tmp_path / "out" / "one.png"), pixels(source / "one.png"))


def test_the_noise_of_a_file_depends_on_its_seed_and_pixels_alone(tmp_path: Path) -> None:
    source = photographs(tmp_path / "in")
    mixqual.distort(source, tmp_path / "all", [NOISE], seed=1)
    mixqual.distort(source / "one.png", tmp_path / "alone", [NOISE], seed=1)
    mixqual.distort(source / "one.png", tmp_path / "other", [NOISE], seed=2)
    alone = pixels(tmp_path / "alone" / "one.png")
    np.testing.assert_array_equal(pixels(tmp_path / "all" / "one.png"), alone)
    assert not np.array_equal(pixels(tmp_path / "other" / "one.png"), alone)


def test_every_image_gets_a_copy_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("x.png", "x.bmp", "X.png"):
        Image.fromarray(cell(0, 0, 20)).save(tmp_path / "in" / name)
    assert mixqual.distort(tmp_path / "in", tmp_path / "out", [BLUR])[0] == 3
    names = {path.name.lower() for path in (tmp_path / "out").iterdir()}
    assert names == {"x.png", "x.bmp.png", "x.png.png"}  # one file each, whatever the case


def test_unreadable_files_are_left_out_with_a_reason(tmp_path: Path) -> None:
    source = photographs(tmp_path / "in")
    (source / "bad.jpg").write_text("words")
    (source / "notes.txt").write_text("not an image, and not said to be one")
    written, left_out = mixqual.distort(source, tmp_path / "out", [BLUR])
    assert written == 2
    ((path, reason),) = left_out
    assert path == source / "bad.jpg"
    assert reason


def test_refuses_what_would_destroy_or_cannot_be(tmp_path: Path) -> None:
    source = photographs(tmp_path / "in")
    before = (source / "one.png").read_bytes()
    with pytest.raises(DataError, match="would be overwritten"):
        mixqual.distort(source, source, [BLUR])
    assert (source / "one.png").read_bytes() == before
    with pytest.raises(DataError, match="no such file or folder"):
        mixqual.distort(tmp_path / "none", tmp_path / "out", [BLUR])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        mixqual.distort(tmp_path / "empty", tmp_path / "out", [BLUR])
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="is no folder"):
        mixqual.distort(source, tmp_path / "file", [BLUR])


def contents(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def pair(root: Path) -> Path:
    """A red JPEG and a blue PNG of one name, in a class's folder."""
    (root / "c").mkdir(parents=True)
    Image.new("RGB", (8, 8), "red").save(root / "c" / "a.jpg")
    Image.new("RGB", (8, 8), "blue").save(root / "c" / "a.png")
    return root


Form = Callable[[Path, Path], Any]
FORMS: dict[str, Form] = {
    "plain": lambda source, target: mixqual.distort(source, target, [BLUR]),
    "imagenet-c": lambda source, target: write_imagenet_c(
        source, target, names=["contrast"], severities=[1], size=16, lossless=True
    ),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    "target",
    [
        ".",
        "c",
        "below",
        "below/deeper",
        "c/../below",
        "../link",  # to the source
        "../link/c/below",
        "../../out/of/../../photos/photos/c",
    ],
)
def test_a_target_inside_of_its_source_is_refused(tmp_path: Path, form: Form, target: str) -> None:
    source = pair(tmp_path / "photos" / "photos")
    (tmp_path / "photos" / "link").symlink_to(source)
    (tmp_path / "out" / "of").mkdir(parents=True)
    before = contents(tmp_path)
    with pytest.raises(DataError, match="choose another place to write to"):
        form(source, source / target)
    assert contents(tmp_path) == before


def test_a_source_inside_of_its_target_is_refused(tmp_path: Path) -> None:
    source = pair(tmp_path / "photos")
    before = contents(tmp_path)
    for folder, target in ((source / "c", source), (source / "c", tmp_path)):
        with pytest.raises(DataError, match=r"lies inside of .*would be overwritten; choose"):
            mixqual.distort(folder, target, [BLUR])
    assert contents(tmp_path) == before


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_links_do_not_lead_copies_to_originals(tmp_path: Path, form: Form) -> None:
    source, target = pair(tmp_path / "photos"), tmp_path / "out"
    target.mkdir()
    (target / "c").symlink_to(source / "c")
    (target / "contrast").symlink_to(source)
    before = contents(source)
    with pytest.raises(DataError, match=r"would lie among the images of .*, by a link; choose"):
        form(source, target)
    assert contents(source) == before


def test_another_name_of_an_original_is_not_overwritten(tmp_path: Path) -> None:
    source, target = pair(tmp_path / "photos"), tmp_path / "out"
    (target / "c").mkdir(parents=True)
    os.link(source / "c" / "a.png", target / "c" / "a.png")
    before = contents(source)
    with pytest.raises(DataError, match=r"out/c/a.png would be overwritten"):
        mixqual.distort(source, target, [BLUR])
    (target / "c" / "a.png").unlink()
    (target / "c" / "a.png").symlink_to(source / "c" / "a.jpg")
    with pytest.raises(DataError, match=r"out/c/a.png would be overwritten"):
        mixqual.distort(source, target, [BLUR])
    assert contents(source) == before
    # Nor may it take the place of what is no copy, by a link or not.
    (tmp_path / "other.png").write_bytes(b"kept")
    (target / "c" / "a.png").unlink()
    (target / "c" / "a.png").symlink_to(tmp_path / "other.png")
    for _ in range(2):
        with pytest.raises(DataError, match=r"a.png is there already, and is no copy"):
            mixqual.distort(source, target, [BLUR])
        (target / "c" / "a.png").unlink()
        (target / "c" / "a.png").write_bytes(b"kept")
    assert (tmp_path / "other.png").read_bytes() == b"kept"
    # A copy gives way to another.
    (target / "c" / "a.png").unlink()
    assert mixqual.distort(source, target, [BLUR]) == (2, [])
    assert mixqual.distort(source, target, [BLUR]) == (2, [])


def test_the_neighbours_of_a_single_original_are_kept(tmp_path: Path) -> None:
    folder = pair(tmp_path) / "c"
    before = contents(tmp_path)
    for name, target in (("a.jpg", folder), ("a.png", folder), ("a.png", folder / "a.png")):
        with pytest.raises(DataError, match=r"a.png would be overwritten"):
            mixqual.distort(folder / name, target, [BLUR])
    assert contents(tmp_path) == before
    assert mixqual.distort(folder / "a.jpg", folder / "b.png", [BLUR]) == (1, [])


@settings(max_examples=15, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["", "c", "d", "out"]),
            st.sampled_from(["", "c", "out", "out/c", "one.png"]),
        ),
        max_size=3,
    )
)
def test_no_sequence_of_copies_changes_a_photograph(
    steps: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Folders may overlap in any way, also by links: what is no copy stays as it was."""
    root = tmp_path_factory.mktemp("any")
    pair(root / "photos")
    (root / "photos" / "d").symlink_to(root / "photos" / "c")
    (root / "photos" / "out").symlink_to(root / "out")
    before = contents(root)
    for source, target in steps:
        with contextlib.suppress(DataError):
            mixqual.distort(root / "photos" / source, root / "photos" / target, [BLUR])
        with contextlib.suppress(DataError):
            mixqual.distort(root / "photos" / source, root / target, [BLUR])
    after = contents(root)
    assert {path: after.get(path) for path in before} == before


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_images_are_those_of_a_study(tmp_path: Path, form: Form) -> None:
    source = pair(tmp_path / "photos")
    (source / "d").symlink_to(pair(tmp_path / "elsewhere") / "c")
    (source / "c" / "deep").mkdir()
    for name in ("a", "b"):
        (source / "c" / "deep" / f"{name}.jfif").write_bytes((source / "c" / "a.jpg").read_bytes())
    (source / "c" / ".thumbnails").mkdir()
    for name in (".thumbnails/a.png", "._a.png"):
        (source / "c" / name).write_bytes((source / "c" / "a.png").read_bytes())
    (source / "c" / "gone.png").symlink_to(tmp_path / "nowhere")
    (source / "c" / "back").symlink_to(source)
    indexed = index_images(DataConfig(source="folder", path=str(source))).items
    assert len(indexed) == 6
    result = form(source, tmp_path / "out")
    assert result == (6, [(source / "c" / "gone.png", "a broken link")])
    assert len(list((tmp_path / "out").rglob("*.png"))) == 6


def test_steps_are_parsed() -> None:
    assert parse_steps(["gaussian_blur=4", "fog=1e-1"]) == [("gaussian_blur", 4.0), ("fog", 0.1)]
    for text in ("gaussian_blur", "gaussian_blur=", "gaussian_blur=x", "="):
        with pytest.raises(StudyError, match="write name=level"):
            parse_steps([text])


# The layout of ImageNet-C


def classes(root: Path) -> Path:
    """Two classes: a gray image 60 wide and 40 high, and a coloured one 50 wide and 60 high."""
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
    Image.fromarray(cell(0, 0, 60)[:40]).save(root / "cat" / "x.png")
    colour = np.stack([cell(label, 1, 60)[:, :50] for label in range(3)], axis=-1)
    Image.fromarray(colour).save(root / "dog" / "y.JPEG", quality=95)
    return root


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def cropped(path: Path, size: int, shorter: int) -> torch.Tensor:
    """The shorter side made `shorter`, then the centre; uint8 (1, 3, size, size)."""
    with Image.open(path) as image:
        scale = shorter / min(image.size)
        width, height = (int(side * scale) for side in image.size)
        resized = image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - size) / 2), round((height - size) / 2)
    pixels_HWC = np.array(resized.crop((left, top, left + size, top + size)))
    return torch.from_numpy(pixels_HWC).permute(2, 0, 1)[None]


def expected(path: Path, name: str, severity: int, size: int, seed: int) -> np.ndarray:
    mapped = corruption(name, severity)
    kind = mixqual.distortion(mapped.distortion, **mapped.options)
    level = mapped.level * (size / 224 if kind.scales_with_size else 1)
    image_1CHW = cropped(path, size, round(size * 256 / 224))
    levels_1 = torch.tensor([level], dtype=torch.float64)
    return kind(image_1CHW, levels_1, seed=seed)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("name", ["gaussian_noise", "defocus_blur", "spatter"])
def test_imagenet_c_holds_the_pixels_of_the_distortions(tmp_path: Path, name: str) -> None:
    source = classes(tmp_path / "in")
    target = tmp_path / "out"
    result = write_imagenet_c(source, target, names=[name], seed=3, size=48, lossless=True)
    assert result == (2, [])
    for severity in SEVERITIES:
        for place in ("cat/x", "dog/y"):
            plain = next(source.glob(f"{place}.*"))
            found = pixels(target / name / str(severity) / f"{place}.png")
            np.testing.assert_array_equal(found, expected(plain, name, severity, 48, seed=3))


def test_imagenet_c_has_its_layout_and_all_its_corruptions(tmp_path: Path) -> None:
    source = classes(tmp_path / "in")
    assert write_imagenet_c(source, tmp_path / "out", size=32) == (2, [])
    assert tree(tmp_path / "out") == sorted(
        [
            f"{name}/{severity}/{file}"
            for name in NAMES
            for severity in SEVERITIES
            for file in ("cat/x.jpg", "dog/y.JPEG")
        ]
        + ["imagenet_c.json"]
    )
    read = ImageFolder(str(tmp_path / "out" / "fog" / "4"))
    assert read.classes == ["cat", "dog"]
    assert [label for _, label in read.samples] == [0, 1]


def test_imagenet_c_is_jpeg_of_quality_85(tmp_path: Path) -> None:
    source = classes(tmp_path / "in")
    for folder, lossless in (("exact", True), ("usual", False)):
        write_imagenet_c(
            source, tmp_path / folder, names=["fog"], severities=[2], size=32, lossless=lossless
        )
    exact = pixels(tmp_path / "exact" / "fog" / "2" / "dog" / "y.png")
    Image.fromarray(exact).save(tmp_path / "by_hand.jpg", quality=85, optimize=True)
    with Image.open(tmp_path / "usual" / "fog" / "2" / "dog" / "y.JPEG") as image:
        assert image.format == "JPEG"
        np.testing.assert_array_equal(np.asarray(image), pixels(tmp_path / "by_hand.jpg"))


def test_a_killed_run_of_imagenet_c_goes_on(tmp_path: Path) -> None:
    source, target = classes(tmp_path / "in"), tmp_path / "out"
    wanted: dict[str, Any] = {"names": ["snow", "contrast"], "severities": [1, 5], "size": 32}
    write_imagenet_c(source, target, **wanted)
    lost, kept = target / "snow" / "5" / "cat" / "x.jpg", target / "snow" / "1" / "cat" / "x.jpg"
    before = lost.read_bytes()
    lost.unlink()
    kept.write_bytes(b"not made again")
    assert write_imagenet_c(source, target, **wanted) == (2, [])
    assert lost.read_bytes() == before
    assert kept.read_bytes() == b"not made again"
    # More of it may be asked for later.
    write_imagenet_c(source, target, names=["fog"], severities=[3], size=32)
    assert (target / "fog" / "3" / "dog" / "y.JPEG").exists()


@pytest.mark.parametrize("change", [{"seed": 1}, {"size": 40}, {"lossless": True}], ids=str)
def test_imagenet_c_is_not_mixed_with_other_settings(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    source, target = classes(tmp_path / "in"), tmp_path / "out"
    write_imagenet_c(source, target, names=["contrast"], severities=[1], size=32)
    before = tree(target)
    wanted: dict[str, Any] = {"names": ["contrast"], "severities": [2], "size": 32, **change}
    with pytest.raises(DataError, match=r"was written with .*'seed': 0.* choose another folder"):
        write_imagenet_c(source, target, **wanted)
    assert tree(target) == before


def test_imagenet_c_lists_what_it_cannot_read(tmp_path: Path) -> None:
    source = classes(tmp_path / "in")
    (source / "cat" / "bad.jpg").write_text("words")
    complete, left_out = write_imagenet_c(
        source, tmp_path / "out", names=["contrast"], severities=[1], size=32
    )
    assert complete == 2
    assert [path for path, reason in left_out if reason] == [source / "cat" / "bad.jpg"]


def test_every_image_of_imagenet_c_gets_a_file_of_its_own(tmp_path: Path) -> None:
    source = tmp_path / "in" / "cat"
    source.mkdir(parents=True)
    for name in ("x.bmp", "x.jpg", "x.jpg.jpg", "x.png"):
        Image.fromarray(cell(0, 0, 40)).save(source / name)
    result = write_imagenet_c(
        tmp_path / "in", tmp_path / "out", names=["contrast"], severities=[1], size=32
    )
    assert result == (4, [])
    assert len(list((tmp_path / "out" / "contrast" / "1" / "cat").iterdir())) == 4


def test_imagenet_c_refuses_what_cannot_be(tmp_path: Path) -> None:
    source = classes(tmp_path / "in")
    with pytest.raises(DistortionError, match="no corruption 'rain'"):
        write_imagenet_c(source, tmp_path / "out", names=["rain"])
    with pytest.raises(DistortionError, match="not 0; the clean image is none"):
        write_imagenet_c(source, tmp_path / "out", severities=[0])
    nothings: list[dict[str, Any]] = [{"names": []}, {"severities": []}, {"size": 0}]
    for nothing in nothings:
        with pytest.raises(DistortionError, match="give one name, one severity and a size"):
            write_imagenet_c(source, tmp_path / "out", **nothing)
    with pytest.raises(DataError, match="lies inside of"):
        write_imagenet_c(source, source / "corrupted")
    with pytest.raises(DataError, match="no such file or folder"):
        write_imagenet_c(tmp_path / "none", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        write_imagenet_c(tmp_path / "empty", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="is no folder"):
        write_imagenet_c(source, tmp_path / "file")


def chroma(path: Path) -> int:
    pixels_HWC = pixels(path).astype(int)
    return int((pixels_HWC.max(2) - pixels_HWC.min(2)).max())


def test_imagenet_c_of_grayscale_files_alone_is_gray(tmp_path: Path) -> None:
    source = classes(tmp_path / "in")
    noises = {"gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"}
    wanted: dict[str, Any] = {"names": [*noises, "contrast"], "severities": [1, 4], "size": 32}
    wanted["lossless"] = True

    def coloured(target: Path) -> set[str]:
        """The corruptions that give the gray image colours."""
        return {p.parts[-4] for p in target.rglob("x.png") if chroma(p)}

    write_imagenet_c(source, tmp_path / "mixed", **wanted)
    assert coloured(tmp_path / "mixed") == noises
    (source / "dog" / "y.JPEG").unlink()
    write_imagenet_c(source, tmp_path / "gray", **wanted)
    assert coloured(tmp_path / "gray") == set()
    write_imagenet_c(source, tmp_path / "both", grayscale_noise="independent", **wanted)
    assert coloured(tmp_path / "both") == noises
    with pytest.raises(DataError, match=r"'gray': True.* choose another folder"):
        write_imagenet_c(source, tmp_path / "gray", grayscale_noise="independent", **wanted)
    with pytest.raises(DistortionError, match='"sensor" or "independent", not \'pink\''):
        write_imagenet_c(source, tmp_path / "pink", grayscale_noise="pink", **wanted)
