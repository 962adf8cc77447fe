import pytest
from report_samples import sample_results

from mixqual.report.labels import level_title


@pytest.mark.parametrize(
    ("name", "quantity", "unit", "title"),
    [
        ("gaussian_noise", "σ", "grey levels", "Noise σ (grey levels)"),
        ("motion_blur", "length", "pixels", "Motion blur length (pixels at 128 px)"),
        ("contrast", "contrast", "of the original", "Contrast (of the original)"),
        ("low_light", "light lost", "stops", "Low light lost (stops)"),
        ("jpeg", "quality", "of 100", "JPEG quality (of 100)"),
    ],
)
def test_an_axis_says_no_word_twice(name: str, quantity: str, unit: str, title: str) -> None:
    results = sample_results(1)
    results["distortions"][name] = {"unit": unit, "quantity": quantity}
    assert level_title(results, name) == title
