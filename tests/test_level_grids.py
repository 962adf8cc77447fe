"""From a study's tables to distortions and their levels."""

import json

import pytest
import torch

from mixqual.config import DistortionConfig
from mixqual.distortions import Composition
from mixqual.errors import StudyError
from mixqual.level_grids import (
    checked_distortion,
    distortion_of,
    grid_facts,
    identity,
    level_grid,
    with_gray_noise,
)
from mixqual.results.provenance import Grid
from mixqual.study_file import make_table


def table(**values: object) -> DistortionConfig:
    return make_table(DistortionConfig, "distortions.x", **values)


def test_levels_start_from_the_clean_one_and_go_its_way() -> None:
    for name, settings, expected in (
        ("gaussian_noise", table(max=100.0, steps=4), (0, 25, 50, 75, 100)),
        ("jpeg", table(min=10.0, steps=3), (100, 70, 40, 10)),
        ("downsampling", table(max=5.0, steps=2), (1, 3, 5)),
        ("contrast", table(min=0.0, steps=2), (1, 0.5, 0)),
    ):
        kind = checked_distortion(name, settings, 224)
        assert level_grid(kind, settings, 224) == pytest.approx(expected)


def test_a_table_may_have_a_name_of_its_own() -> None:
    kind = checked_distortion("slow_shutter", table(kind="motion_blur", max=9.0), 224)
    assert kind.name == "motion_blur"


def test_parts_in_pixels_are_scaled_to_the_crop() -> None:
    parts = (
        {"kind": "gaussian_blur", "max": 4.0},
        {"kind": "gaussian_noise", "max": 40.0, "options": {"clip": True}},
        {"kind": "jpeg", "min": 20.0},
    )
    settings = table(parts=parts)
    kind = checked_distortion("camera", settings, 112)
    assert isinstance(kind, Composition)
    assert [part.strongest for part in kind.parts] == [2.0, 40.0, 20.0]
    assert level_grid(kind, settings, 112) == pytest.approx(torch.linspace(0, 1, 11).tolist())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "give the strongest level: `max`, or `min`"),
        ({"max": 3.0, "min": 1.0}, "give the strongest level"),
        ({"parts": ({"kind": "jpeg", "min": 5.0},), "kind": "jpeg"}, "a composition has `parts`"),
        ({"parts": ({"kind": "jpeg"},)}, "give the strongest level"),
        ({"parts": ({"max": 5.0},)}, "kind"),
    ],
)
def test_tables_that_contradict_themselves_are_refused(
    values: dict[str, object], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        table(**values)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        (
            "jpeg",
            {"max": 50.0},
            r"distortions\.jpeg\.max: the level of jpeg falls from 100 .*\.min",
        ),
        (
            "gaussian_blur",
            {"min": 2.0},
            r"distortions\.gaussian_blur\.min: .* grows from 0 .*\.max",
        ),
        (
            "jpeg",
            {"min": 0.5},
            r"distortions\.jpeg\.min = 0\.5 is out of range: .* 100 \(none\) to 1",
        ),
        ("downsampling", {"max": 1.0}, r"downsampling\.max = 1 does nothing"),
        ("gaussian_noise", {"max": 1e9}, r"gaussian_noise\.max = 1e\+09 is out of range"),
        ("mine", {"max": 1.0}, "distortions.mine: unknown distortion 'mine'.*module:function"),
        ("mine", {"max": 1.0, "kind": "nothing:here"}, "distortions.mine: .*cannot be imported"),
        (
            "camera",
            {"parts": ({"kind": "jpeg", "max": 5.0},)},
            r"distortions\.camera\.parts \(jpeg\)\.max: .*falls",
        ),
        (
            "camera",
            {"parts": ({"kind": "fogg", "max": 5.0},)},
            r"distortions\.camera\.parts: unknown distortion 'fogg'",
        ),
        (
            "camera",
            {"parts": ({"kind": "jpeg", "min": 5.0},), "max": 1.5},
            r"camera\.max = 1\.5 is out of range",
        ),
    ],
)
def test_levels_that_a_distortion_cannot_have_are_refused(
    name: str, values: dict[str, object], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        checked_distortion(name, table(**values), 224)


def test_a_distortion_is_made_again_from_what_results_tell_of_it() -> None:
    images_BCHW = 255 * torch.rand(2, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    parts = ({"kind": "gaussian_blur", "max": 4.0}, {"kind": "gaussian_noise", "max": 20.0})
    tables = {
        "gaussian_noise": DistortionConfig(max=50.0, options={"clip": True}),
        "jpeg": DistortionConfig(min=10.0),
        "mine": DistortionConfig(kind="gaussian_blur", max=4.0),
        "both": DistortionConfig.model_validate({"parts": parts}),
    }
    for name, settings in tables.items():
        kind = checked_distortion(name, settings, 112)
        levels = level_grid(kind, settings, 112)
        again = distortion_of(
            Grid.model_validate_json(json.dumps(grid_facts(name, settings, kind, levels))), 112
        )
        levels_B = torch.full((2,), levels[-1], dtype=torch.float64)
        assert torch.equal(again(images_BCHW, levels_B), kind(images_BCHW, levels_B)), name


def test_gray_noise_is_an_option_of_tables_and_parts_that_do_not_say() -> None:
    parts = (
        {"kind": "gaussian_blur", "max": 4.0},
        {"kind": "shot_noise", "max": 20.0, "options": {"clip": True}},
        {"kind": "speckle_noise", "max": 0.2, "options": {"gray": False}},
    )
    tables = {
        "gaussian_noise": table(max=50.0, options={"clip": True}),
        "grain": table(kind="impulse_noise", max=0.2),
        "low_light": table(max=3.0, options={"gray": False}),
        "jpeg": table(min=10.0),
        "camera": table(parts=parts),
    }
    gray = with_gray_noise(tables)
    assert {name: settings.options for name, settings in gray.items()} == {
        "gaussian_noise": {"clip": True, "gray": True},
        "grain": {"gray": True},
        "low_light": {"gray": False},
        "jpeg": {},
        "camera": {},
    }
    assert [part.options for part in gray["camera"].parts] == [
        {},
        {"clip": True, "gray": True},
        {"gray": False},
    ]
    for name in ("low_light", "jpeg"):
        assert gray[name] == tables[name]
    for name, settings in gray.items():
        kind, before = checked_distortion(name, settings, 112), tables[name]
        told = identity(settings, kind)
        changed = name in ("gaussian_noise", "grain", "camera")
        assert (told != identity(before, checked_distortion(name, before, 112))) == changed


def test_gray_noise_of_what_is_unknown_is_refused() -> None:
    for name, settings, message in (
        ("fogg", table(max=1.0), r"distortions\.fogg: unknown distortion"),
        (
            "camera",
            table(parts=({"kind": "fogg", "max": 1.0},)),
            r"distortions\.camera\.parts: unknown distortion",
        ),
    ):
        with pytest.raises(StudyError, match=message):
            with_gray_noise({name: settings})


def test_a_composition_of_gray_noises_leaves_a_gray_image_gray() -> None:
    parts = tuple(
        {"kind": name, "max": level}
        for name, level in (
            ("low_light", 2.0),
            ("gaussian_blur", 20.0),
            ("gaussian_noise", 20.0),
            ("speckle_noise", 0.2),
            ("shot_noise", 20.0),
            ("impulse_noise", 0.1),
        )
    )
    generator = torch.Generator().manual_seed(0)
    images_BCHW = (255 * torch.rand(2, 1, 33, 29, generator=generator)).repeat(1, 3, 1, 1)
    images_BCHW = images_BCHW.contiguous(memory_format=torch.channels_last)
    # The second leaves rounding in the channels, which counting must not magnify.
    for first in ((), ({"kind": "oversaturation", "max": 30.0},)):
        tables = with_gray_noise({"camera": table(parts=(*first, *parts))})
        kind = checked_distortion("camera", tables["camera"], 112)
        found_BCHW = kind(images_BCHW, torch.tensor([0.4, 1.0], dtype=torch.float64))
        expected_BCHW = found_BCHW[:, :1].expand_as(found_BCHW)
        torch.testing.assert_close(found_BCHW, expected_BCHW, rtol=0, atol=1e-3)
