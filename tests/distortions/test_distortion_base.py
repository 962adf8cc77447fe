import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_levels import sample_levels
from sample_pixels import DTYPES, FORMATS, levels, pixels
from torch import Tensor

import mixqual
from mixqual.distortions import Distortion, distortion, distortions, image_keys, register
from mixqual.distortions import base as registry
from mixqual.errors import (
    DistortionError,
    InvalidImageError,
    InvalidLevelError,
    MixqualError,
)

every_distortion = pytest.mark.parametrize("name", distortions())
every_format = pytest.mark.parametrize("memory_format", FORMATS, ids=str)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)

shapes = st.tuples(
    st.integers(1, 4), st.sampled_from([1, 3]), st.integers(1, 12), st.integers(1, 12)
)


# The clean level


@every_distortion
@every_format
@every_dtype
def test_the_clean_level_is_the_identity_bit_by_bit(
    name: str, dtype: torch.dtype, memory_format: torch.memory_format
) -> None:
    images_BCHW = pixels((3, 3, 9, 7), dtype, memory_format)
    kind = distortion(name)
    same_BCHW = kind(images_BCHW, levels(*[kind.clean_level] * 3))
    assert torch.equal(same_BCHW, images_BCHW)
    assert same_BCHW.data_ptr() != images_BCHW.data_ptr()  # the caller may write into it


@every_distortion
@every_format
@every_dtype
def test_a_mixed_batch_changes_only_the_images_with_a_level(
    name: str, dtype: torch.dtype, memory_format: torch.memory_format
) -> None:
    images_BCHW = pixels((5, 3, 9, 7), dtype, memory_format)
    kind = distortion(name)
    clean, (_, middle, strong) = kind.clean_level, sample_levels(name)
    mixed_BCHW = kind(images_BCHW, levels(clean, middle, clean, strong, clean))
    for index in (0, 2, 4):
        assert torch.equal(mixed_BCHW[index], images_BCHW[index])
    for index, level in ((1, middle), (3, strong)):
        alone_CHW = kind(images_BCHW[index : index + 1], levels(level))[0]
        assert not torch.equal(alone_CHW, images_BCHW[index])
        torch.testing.assert_close(mixed_BCHW[index], alone_CHW, rtol=0, atol=1e-3)


# The contract: type, shape, memory format, range


@every_distortion
@settings(deadline=None, max_examples=60)
@given(
    shape=shapes,
    dtype=st.sampled_from(DTYPES),
    memory_format=st.sampled_from(FORMATS),
    data=st.data(),
)
def test_type_shape_and_memory_format_stay(
    name: str,
    shape: tuple[int, int, int, int],
    dtype: torch.dtype,
    memory_format: torch.memory_format,
    data: st.DataObject,
) -> None:
    images_BCHW = pixels(shape, dtype, memory_format)
    before_BCHW = images_BCHW.clone()
    kind = distortion(name)
    tiny = kind.clean_level + 1e-6 * (kind.worst_level - kind.clean_level)
    possible = st.sampled_from([kind.clean_level, tiny, *sample_levels(name)])
    drawn = data.draw(st.lists(possible, min_size=shape[0], max_size=shape[0]))
    result_BCHW = kind(images_BCHW, levels(*drawn))
    assert result_BCHW.shape == images_BCHW.shape
    assert result_BCHW.dtype == images_BCHW.dtype
    assert result_BCHW.device == images_BCHW.device
    assert result_BCHW.is_contiguous(memory_format=memory_format)
    assert torch.equal(images_BCHW, before_BCHW)


@every_distortion
@settings(deadline=None, max_examples=40)
@given(shape=shapes, data=st.data())
def test_uint8_is_the_rounded_and_limited_floating_point_result(
    name: str, shape: tuple[int, int, int, int], data: st.DataObject
) -> None:
    images_BCHW = pixels(shape, torch.uint8)
    mild, _, strong = sample_levels(name)
    level = data.draw(st.floats(min(mild, strong), max(mild, strong)))
    levels_B = torch.full((shape[0],), level, dtype=torch.float64)
    exact_BCHW = distortion(name)(images_BCHW.float(), levels_B)
    rounded_BCHW = distortion(name)(images_BCHW, levels_B)
    assert rounded_BCHW.dtype == torch.uint8
    assert torch.equal(rounded_BCHW.float(), exact_BCHW.round().clamp(0, 255))


@every_distortion
@every_format
def test_an_empty_batch_stays_empty(name: str, memory_format: torch.memory_format) -> None:
    images_BCHW = torch.empty((0, 3, 8, 6)).contiguous(memory_format=memory_format)
    assert distortion(name)(images_BCHW, torch.empty(0)).shape == (0, 3, 8, 6)
    assert image_keys(images_BCHW).shape == (0,)


@every_distortion
@pytest.mark.parametrize(
    "make",
    [list, torch.tensor, np.array, lambda values: torch.tensor(values, dtype=torch.float16)],
    ids=["list", "float32", "array", "float16"],
)
def test_levels_may_be_any_numbers(name: str, make: Callable[[list[float]], Tensor]) -> None:
    images_BCHW = pixels((2, 1, 6, 6))
    kind = distortion(name)
    given_levels = make(list(sample_levels(name)[:2]))
    expected_BCHW = kind(images_BCHW, levels(*(float(level) for level in given_levels)))
    assert torch.equal(kind(images_BCHW, given_levels), expected_BCHW)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8], ids=str)
def test_levels_may_be_whole_numbers(dtype: torch.dtype) -> None:
    images_BCHW = pixels((2, 1, 6, 6))
    kind = distortion("gaussian_blur")
    whole_BCHW = kind(images_BCHW, torch.tensor([1, 2], dtype=dtype))
    assert torch.equal(whole_BCHW, kind(images_BCHW, levels(1, 2)))


@every_distortion
def test_pixels_at_both_ends_of_the_range_are_valid(name: str) -> None:
    images_BCHW = torch.zeros(2, 1, 4, 4)
    images_BCHW[1] = 255
    for level in sample_levels(name):
        assert torch.isfinite(distortion(name)(images_BCHW, levels(level, level))).all()


@every_distortion
def test_the_worst_level_is_valid(name: str) -> None:
    kind = distortion(name)
    assert torch.isfinite(kind(pixels((1, 1, 5, 5)), levels(kind.worst_level))).all()


@every_distortion
def test_a_distortion_says_what_its_level_means(name: str) -> None:
    kind = distortion(name)
    assert kind.name == name
    assert kind.unit
    assert kind.quantity
    assert kind.worst_level != kind.clean_level


# Images outside of the contract


def _with(value: float) -> Tensor:
    images_BCHW = pixels((2, 3, 4, 4))
    images_BCHW[1, 2, 3, 3] = value
    return images_BCHW


BAD_IMAGES: dict[str, tuple[Callable[[], object], str]] = {
    "array": (lambda: pixels((2, 3, 4, 4)).numpy(), "must be a tensor, not ndarray"),
    "int32": (lambda: pixels((2, 3, 4, 4), torch.int32), "uint8 or floating.* not torch.int32"),
    "bool": (lambda: pixels((2, 3, 4, 4), torch.bool), "uint8 or floating.* not torch.bool"),
    "three axes": (lambda: pixels((3, 4, 4)), r"not \(3, 4, 4\)"),
    "five axes": (lambda: torch.zeros(1, 1, 3, 4, 4), r"not \(1, 1, 3, 4, 4\)"),
    "two channels": (lambda: pixels((2, 2, 4, 4)), r"1 or 3 channels.* not \(2, 2, 4, 4\)"),
    "no channels": (lambda: torch.zeros(2, 0, 4, 4), r"not \(2, 0, 4, 4\)"),
    "channels last by shape": (lambda: torch.zeros(2, 4, 4, 3), r"not \(2, 4, 4, 3\)"),
    "no rows": (lambda: torch.zeros(2, 3, 0, 4), r"not \(2, 3, 0, 4\)"),
    "no columns": (lambda: torch.zeros(2, 3, 4, 0), r"not \(2, 3, 4, 0\)"),
    "NaN": (lambda: _with(float("nan")), "hold NaN"),
    "infinite": (lambda: _with(float("inf")), r"0\.\.\.255, but they span 0\.\.\.inf|span .*inf"),
    "too bright": (lambda: _with(255.5), r"0\.\.\.255, but they span \d+\.\.\.255\.5"),
    "0 to 1": (lambda: pixels((2, 3, 4, 4)) / 255, "as if 1 were white; multiply them by 255"),
    "normalised": (lambda: _with(-1.25), r"0\.\.\.255, but they span -1\.25\.\.\.\d+"),
}


@every_distortion
@pytest.mark.parametrize("case", BAD_IMAGES)
def test_images_outside_the_contract_are_refused(name: str, case: str) -> None:
    make, message = BAD_IMAGES[case]
    with pytest.raises(InvalidImageError, match=message):
        distortion(name)(make(), torch.ones(2))  # type: ignore[arg-type]


@every_distortion
def test_bad_images_are_refused_at_the_clean_level_too(name: str) -> None:
    kind = distortion(name)
    with pytest.raises(InvalidImageError, match="NaN"):
        kind(_with(float("nan")), levels(kind.clean_level, kind.clean_level))


@every_distortion
def test_dark_images_of_bytes_and_of_other_distortions_are_taken(name: str) -> None:
    kind, mild = distortion(name), sample_levels(name)[0]
    dark_BCHW = torch.eye(6).expand(1, 3, 6, 6).contiguous()
    assert kind(dark_BCHW, levels(mild)).shape == dark_BCHW.shape
    assert kind.chained(dark_BCHW / 2, levels(mild)).shape == dark_BCHW.shape
    usual_BCHW = pixels((1, 3, 6, 6))
    assert torch.equal(kind.chained(usual_BCHW, levels(mild)), kind(usual_BCHW, levels(mild)))


# Levels outside of the contract

BAD_LEVELS: dict[str, tuple[object, str]] = {
    "one number": (torch.tensor(1.0), r"shape \(3,\), not \(\)"),
    "too few": (torch.ones(2), r"shape \(3,\), not \(2,\)"),
    "two axes": (torch.ones(3, 1), r"shape \(3,\), not \(3, 1\)"),
    "bool": (torch.ones(3, dtype=torch.bool), "must be numbers, not torch.bool"),
    "list of bool": ([True, False, True], "must be numbers, not torch.bool"),
    "complex": (torch.ones(3, dtype=torch.complex64), "must be numbers, not torch.complex64"),
    "NaN": ([1.0, float("nan"), 1.0], r"level nan \(image 1 of the batch\)"),
    "negative": ([1.0, 1.0, -0.5], r"level -0\.5 \(image 2 of the batch\)"),
    "too large": ([5000.0, 1.0, -1.0], r"level 5000 \(image 0 .*\) is outside \d+\.\.\.\d+"),
    "infinite": ([1.0, float("inf"), 1.0], r"level inf \(image 1 of the batch\)"),
}


@every_distortion
@pytest.mark.parametrize("case", BAD_LEVELS)
def test_levels_outside_the_contract_are_refused(name: str, case: str) -> None:
    bad, message = BAD_LEVELS[case]
    with pytest.raises(InvalidLevelError, match=f"{name}: .*{message}"):
        distortion(name)(pixels((3, 3, 4, 4)), bad)  # type: ignore[arg-type]


@every_distortion
def test_a_level_just_past_either_end_is_refused_with_its_unit(name: str) -> None:
    kind = distortion(name)
    low, high = sorted((kind.clean_level, kind.worst_level))
    below = torch.nextafter(levels(low), levels(-torch.inf))
    above = torch.nextafter(levels(high), levels(torch.inf))
    for level in (below, above):
        with pytest.raises(InvalidLevelError, match=re.escape(kind.unit)):
            kind(pixels((1, 3, 4, 4)), level)


def test_errors_can_be_caught_as_one_kind_and_as_value_errors() -> None:
    for error in (InvalidImageError, InvalidLevelError):
        assert issubclass(error, DistortionError)
        assert issubclass(error, MixqualError)
        assert issubclass(error, ValueError)


# Keys


@every_distortion
@pytest.mark.parametrize(
    "keys_B",
    [torch.arange(2), torch.arange(3.0), torch.arange(3, dtype=torch.int32), torch.tensor(3)],
    ids=["too few", "float", "int32", "one number"],
)
def test_keys_that_are_not_one_whole_number_per_image_are_refused(
    name: str, keys_B: Tensor
) -> None:
    with pytest.raises(DistortionError, match=f"{name}: keys must be one int64 per image"):
        distortion(name)(pixels((3, 3, 4, 4)), torch.ones(3), keys_B=keys_B)


@settings(deadline=None, max_examples=40)
@given(shape=shapes, dtype=st.sampled_from(DTYPES), memory_format=st.sampled_from(FORMATS))
def test_a_key_depends_on_the_pixels_only(
    shape: tuple[int, int, int, int], dtype: torch.dtype, memory_format: torch.memory_format
) -> None:
    keys_B = image_keys(pixels(shape))
    assert keys_B.dtype == torch.int64
    assert torch.equal(image_keys(pixels(shape, dtype, memory_format)), keys_B)
    alone_B = torch.cat([image_keys(image_CHW[None]) for image_CHW in pixels(shape)])
    assert torch.equal(alone_B, keys_B)


@settings(deadline=None, max_examples=60)
@given(
    shape=st.tuples(st.just(1), st.sampled_from([1, 3]), st.integers(1, 8), st.integers(1, 8)),
    data=st.data(),
)
def test_a_key_changes_with_any_pixel(
    shape: tuple[int, int, int, int], data: st.DataObject
) -> None:
    images_BCHW = pixels(shape)
    place = tuple(data.draw(st.integers(0, side - 1)) for side in shape)
    step = data.draw(st.sampled_from([0.5, 1.0, 2.0, 100.0]))
    changed_BCHW = images_BCHW.clone()
    changed_BCHW[place] = (images_BCHW[place] + step) % 256
    assert image_keys(changed_BCHW) != image_keys(images_BCHW)


def test_keys_of_similar_images_all_differ() -> None:
    one_spot_BCHW = torch.zeros(3 * 20 * 20, 3, 20, 20)
    one_spot_BCHW.view(1200, -1).fill_diagonal_(1.0)
    constant_BCHW = torch.arange(256.0)[:, None, None, None].expand(-1, 3, 20, 20)
    keys_N = torch.cat([image_keys(one_spot_BCHW), image_keys(constant_BCHW)])
    assert len(set(keys_N.tolist())) == 1200 + 256


def test_the_key_of_a_pixel_of_minus_zero_is_that_of_zero() -> None:
    zeros_BCHW = torch.zeros(1, 3, 4, 4)
    assert torch.equal(image_keys(-zeros_BCHW), image_keys(zeros_BCHW))


def test_keys_stay_what_they_were() -> None:
    # A change of the hash would change the noise of every past result.
    ramp_BCHW = torch.arange(48.0).view(1, 3, 4, 4)
    assert image_keys(torch.cat([ramp_BCHW, 255 - ramp_BCHW])).tolist() == [
        -7666577569254211584,
        9160317774139752448,
    ]


# The registry


@pytest.fixture
def clean_registry() -> Iterator[None]:
    before = dict(registry._REGISTRY)
    yield
    registry._REGISTRY.clear()
    registry._REGISTRY.update(before)


def test_the_papers_distortions_are_there() -> None:
    assert {"gaussian_blur", "gaussian_noise"} <= set(distortions())
    assert list(distortions()) == sorted(distortions())
    assert mixqual.distortions() == distortions()
    assert mixqual.distortion("gaussian_blur").name == "gaussian_blur"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(DistortionError) as caught:
        distortion("gausian_blur")
    message = str(caught.value)
    assert "'gausian_blur'" in message
    assert all(name in message for name in distortions())


@every_distortion
@pytest.mark.parametrize("options", [{"wrong_option": 1}, {"name": "other"}], ids=str)
def test_an_unknown_option_is_refused(name: str, options: dict[str, int | str]) -> None:
    with pytest.raises(DistortionError, match=f"{name}: .*{next(iter(options))}"):
        distortion(name, **options)


class Darken(Distortion):
    """All that a new distortion has to be."""

    name = "test_darken"
    unit = "grey levels"
    worst_level = 100.0

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        return images_BCHW - self.factor * levels_B.to(images_BCHW.dtype)[:, None, None, None]


@pytest.mark.usefixtures("clean_registry")
def test_a_new_distortion_is_one_class() -> None:
    register(Darken)
    assert "test_darken" in distortions()
    images_BCHW = torch.full((3, 1, 2, 2), 90, dtype=torch.uint8)
    dark_BCHW = distortion("test_darken", factor=2.0)(images_BCHW, levels(0, 10.1, 60))
    # 90, then 90 - 20.2 rounded, then 90 - 120 limited to 0.
    assert dark_BCHW[:, 0, 0, 0].tolist() == [90, 70, 0]
    with pytest.raises(InvalidLevelError, match="test_darken: level 101 "):
        distortion("test_darken")(images_BCHW, levels(0, 101, 0))


@pytest.mark.usefixtures("clean_registry")
def test_a_name_that_is_taken_is_refused() -> None:
    register(Darken)
    with pytest.raises(DistortionError, match=f"'test_darken' is registered.* by {__name__}"):
        register(type("Other", (Darken,), {}))
    assert type(distortion("test_darken")) is Darken


def test_the_registry_forgets_what_a_test_registered() -> None:
    assert "test_darken" not in distortions()
