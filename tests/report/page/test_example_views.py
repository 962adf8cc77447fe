"""Images on the page: every answer, every weight, and nothing from elsewhere."""

import pytest
from example_samples import sample_examples, uri
from report_samples import sample_results

from mixqual.report.page.example_views import gallery


def test_views_are_what_the_examples_say() -> None:
    found = gallery(sample_results(), sample_examples())
    assert [[view.title for view in views] for views in found.examples] == [
        ["Clean", "Noise, σ = 50 grey levels"]
    ] * 2
    noisy = found.examples[0][1]
    assert noisy.pixels == uri(90)
    assert (noisy.identity, noisy.true_class) == ("one", "a_cat")
    assert [(a.label, a.class_name, a.confidence, a.right, a.main) for a in noisy.answers] == [
        ("M_clean", "$10", "70\N{NO-BREAK SPACE}%", False, True),
        ("M_noise", "$10", "70\N{NO-BREAK SPACE}%", False, False),
        ("M_mix", "a_cat", "50\N{NO-BREAK SPACE}%", True, True),
    ]
    assert [(look.model, weight) for look, weight in noisy.weights] == [
        ("clean", 0.25),
        ("noise", 0.75),
    ]
    (failure,) = found.failures
    assert (failure.title, failure.true_class) == ("Noise, σ = 50 grey levels", "$10")
    assert found.credit == "Somebody's photographs, CC BY 4.0"


def test_the_rules_are_those_of_the_run() -> None:
    found = gallery(sample_results(), sample_examples())
    assert found.rules == {
        "examples": "Images of medium difficulty",
        "levels": "Half of the loss",
        "failures": "The surest mistakes",
    }


def test_an_image_from_elsewhere_is_refused() -> None:
    examples = sample_examples()
    examples["examples"][0]["cells"][0]["pixels"] = "https://example.com/a.png"
    with pytest.raises(ValueError, match="one: pixels must be a data URI"):
        gallery(sample_results(), examples)
