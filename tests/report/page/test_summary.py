"""The headline and its rule, on numbers that are set by hand."""

import pytest
from report_samples import Results, recommending, sample_results

from mixqual.report.page.summary import hardest_distortion, kept_accuracy, middle_level, summary

NOISE, BLUR = "gaussian_noise", "gaussian_blur"


def by_hand(**auc_of_clean: float) -> Results:
    """Results whose middle levels and areas of the original network are set by hand."""
    results = sample_results()
    for name in (NOISE, BLUR):
        levels = [format(level, "g") for level in results["distortions"][name]["levels"]]
        for model, clean, damaged in (
            ("clean", 0.8, 0.328),
            ("all", 0.8, 0.6),
            ("mix", 0.75, 0.66),
        ):
            results["accuracy"][model][name][levels[0]] = clean
            results["accuracy"][model][name][levels[5]] = damaged
    for name, value in auc_of_clean.items():
        results["auc"]["clean"][name]["auc"] = value
    return results


def test_headline_by_hand() -> None:
    head = summary(by_hand(gaussian_noise=0.6, gaussian_blur=0.4))
    assert head.headline == (
        "At blur σ = 2.86 pixels at 128 px, the original network keeps 41\u00a0% of its accuracy, "
        "the mixture 88\u00a0%."
    )
    head = summary(by_hand(gaussian_noise=0.3, gaussian_blur=0.4))
    assert head.headline.startswith("At noise σ = 50 grey levels, the original network keeps 41")
    assert [each.model for each in head.kept] == ["clean", "all", "mix"]
    assert head.table.rows[1][3] == "75\u00a0% (60.0 %)"


@pytest.mark.parametrize(
    ("ship", "order", "words"),
    [
        ("all", ["clean", "mix", "all"], "M_all"),
        ("noise", ["clean", "all", "mix", "noise"], "M_noise"),
        ("conditional", ["clean", "all", "mix"], "the mixture"),
        ("clean", ["clean", "all", "mix"], "the mixture"),
    ],
)
def test_what_is_recommended_stands_last_and_in_the_headline(
    ship: str, order: list[str], words: str
) -> None:
    results = recommending(by_hand(gaussian_noise=0.3, gaussian_blur=0.4), ship)
    head = summary(results)
    assert [each.model for each in head.kept] == order
    assert f"of its accuracy, {words} " in head.headline
    assert head.ship == results["recommendation"]["reason"]
    assert head.ship not in head.details
    assert head.levels.startswith(f"M_{order[-1]} keeps 90 % of its accuracy on clean images under")


def test_the_mixture_has_no_say_in_the_choice() -> None:
    results = by_hand(gaussian_noise=0.3, gaussian_blur=0.4)
    for model in results["models"]:
        if model != "clean":
            results["auc"][model][BLUR]["auc"] = 0.01
    assert hardest_distortion(results) == NOISE


def test_a_held_out_distortion_is_not_chosen() -> None:
    results = by_hand(gaussian_noise=0.3, gaussian_blur=0.4)
    results["held_out"] = [NOISE]
    assert hardest_distortion(results) == BLUR


def test_a_mixture_that_loses_is_told_so() -> None:
    results = by_hand()
    results["comparisons"] = [
        {"a": "mix", "b": "clean", "distortion": "average", "delta": 0.2, "ci95": [0.1, 0.3]},
        {"a": "all", "b": "mix", "distortion": "average", "delta": 0.03, "ci95": [0.01, 0.05]},
        {"a": "mix", "b": "all_long", "distortion": "average", "delta": 0.0, "ci95": [-0.1, 0.1]},
    ]
    for model, seeds in (("mix", [0.5, 0.6, 0.7]), ("all", [0.51, 0.59, 0.8])):
        results["auc"][model]["average"]["seeds"] = seeds
    clean, every, longer = summary(results).leads
    assert (clean.value, clean.verdict, clean.shown) == ("+0.200", "shown to be higher", True)
    assert (every.value, every.interval) == ("−0.030", "−0.050 to −0.010")
    assert every.verdict == "shown to be lower"
    assert every.seeds == "Ahead in 1 of 3 trainings: −0.010, +0.010 and −0.100."
    assert (longer.verdict, longer.shown) == ("no difference shown", False)


def test_one_training_says_nothing_of_trainings() -> None:
    assert {lead.seeds for lead in summary(sample_results(seeds=1)).leads} == {""}


def test_a_failed_gate_stands_on_top() -> None:
    (warning,) = summary(sample_results(gate_works=False)).warnings
    assert "THE GATE HAS FAILED" in warning


def test_the_middle_is_one_of_the_levels() -> None:
    results = sample_results()
    for levels, middle in (([0.0, 1.0], 1.0), ([0.0, 1.0, 2.0], 1.0), ([100.0, 60.0, 5.0], 60.0)):
        results["distortions"][NOISE]["levels"] = levels
        assert middle_level(results, NOISE) == middle


def test_a_network_that_is_never_right_keeps_nothing() -> None:
    results = by_hand()
    results["accuracy"]["clean"][NOISE]["0"] = 0.0
    assert kept_accuracy(results, NOISE)[0].share == 0


def test_a_study_without_baselines_or_clean_expert() -> None:
    results = sample_results()
    results["baselines"], results["experts"], results["clean"] = [], ["noise", "blur"], None
    assert [each.model for each in summary(results).kept] == ["noise", "mix"]
