import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mixqual.data import DecodedImages
from mixqual.errors import StudyError
from mixqual.evaluation.baselines import (
    alexnet_baseline,
    error_rates,
    images_fingerprint,
    read_baseline,
    results_baseline,
)
from mixqual.evaluation.corruption_error import ALEXNET

Results = dict[str, Any]
SEVERITIES = {"levels": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "kind": "imagenet_c"}


def results(model: str = "own") -> Results:
    noise = {"levels": [0.0, 50.0, 100.0], "unit": "grey levels", "kind": "gaussian_noise"}
    jpeg = {"levels": [100.0, 10.0], "unit": "quality", "kind": "jpeg"}
    return {
        "models": [model],
        "provenance": {
            "images_fingerprint": "f00d",
            "images": {"test": 40},
            "classes": ["a", "b"],
        },
        "distortions": {
            "noise": {**noise, "options": {"clip": True}},
            "jpeg": {**jpeg, "options": {}},
        },
        "accuracy": {
            model: {"noise": {"0": 0.9, "50": 0.6, "100": 0.3}, "jpeg": {"100": 0.9, "10": 0.7}}
        },
        "metrics": {},
    }


def decoded(hashes: tuple[str, ...], labels: list[int]) -> DecodedImages:
    return DecodedImages(
        pixels_NHWC=np.zeros((len(labels), 2, 2, 1), np.uint8),
        labels_N=np.array(labels),
        ids=tuple(f"{number}.png" for number in range(len(labels))),
        splits=(None,) * len(labels),
        classes=("a", "b"),
        left_out=(),
        credit="",
        pixel_hashes=hashes,
    )


def test_the_fingerprint_of_images_is_that_of_pixels_and_classes() -> None:
    first = images_fingerprint(decoded(("x", "y"), [0, 1]))
    assert images_fingerprint(decoded(("x", "y"), [0, 1])) == first
    others = [(("x", "z"), [0, 1]), (("x", "y"), [0, 0]), (("x",), [0]), ((), [0, 1])]
    assert len({first, *(images_fingerprint(decoded(*other)) for other in others)}) == 5


def test_rates_are_means_over_the_levels_that_are_not_clean() -> None:
    rates = error_rates(results(), "own")
    assert rates.name == "own"
    assert rates.clean == pytest.approx(0.1)
    assert rates.distorted == pytest.approx({"noise": 0.55, "jpeg": 0.3})


def test_a_file_s_rates_are_those_of_its_model(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps(results("other")))
    rates = results_baseline(path, read_baseline(path), results())
    assert rates.name == "other"
    assert rates.source == str(path)
    assert rates.distorted == pytest.approx({"noise": 0.55, "jpeg": 0.3})


def test_a_baseline_may_have_more_distortions(tmp_path: Path) -> None:
    own = results()
    del own["distortions"]["jpeg"]
    rates = results_baseline(tmp_path / "other.json", results("other"), own)
    assert rates.distorted["noise"] == pytest.approx(0.55)


def _other_images(other: Results) -> None:
    other["provenance"] |= {"images_fingerprint": "beef", "images": {"test": 7}}


def _no_jpeg(other: Results) -> None:
    del other["distortions"]["jpeg"]


def _other_levels(other: Results) -> None:
    other["distortions"]["noise"]["levels"] = [0.0, 100.0]


def _other_options(other: Results) -> None:
    other["distortions"]["noise"]["options"] = {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_other_images, "is of other images .7 of 2 classes. than this model's .40 of 2."),
        (_no_jpeg, "has no jpeg, only noise"),
        (_other_levels, r"has noise with levels \[0.0, 100.0\], this model with \[0.0, 50.0"),
        (_other_options, r"has noise with options \{\}, this model with \{'clip': True\}"),
    ],
)
def test_what_does_not_compare_is_refused(
    tmp_path: Path, change: Callable[[Results], None], message: str
) -> None:
    other = results("other")
    change(other)
    with pytest.raises(StudyError, match=message):
        results_baseline(tmp_path / "other.json", other, results())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("{", "cannot be read"),
        ("[1]", "holds no results of mixqual evaluate: no models"),
        ('{"models": [], "distortions": {}}', "no accuracy, metrics, provenance"),
        (
            json.dumps(results() | {"provenance": {"seeds": [0]}}),
            "no provenance.images_fingerprint",
        ),
    ],
)
def test_what_holds_no_results_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "other.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(StudyError, match=message):
        read_baseline(path)


def test_alexnet_is_for_imagenet_c_on_a_thousand_classes_alone() -> None:
    grids = {"fog": SEVERITIES, "jpeg_compression": SEVERITIES}
    assert alexnet_baseline(grids, 1000) is ALEXNET
    with pytest.raises(StudyError, match="1000 classes, but this one has 10"):
        alexnet_baseline(grids, 10)
    with pytest.raises(StudyError, match="which noise at 2 levels is not"):
        alexnet_baseline(results()["distortions"], 1000)
    with pytest.raises(StudyError, match="which fog at 2 levels is not"):
        alexnet_baseline({"fog": SEVERITIES | {"levels": [0.0, 1.0, 2.0]}}, 1000)
    with pytest.raises(StudyError, match="which smoke at 5 levels is not"):
        alexnet_baseline({"smoke": SEVERITIES}, 1000)
