import copy
import json
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_samples import Results, recommending, sample_results

from mixqual.report import headline
from mixqual.report.page.summary import hardest_distortion, kept_accuracy
from mixqual.report.style import line_styles
from mixqual.results.lookups import original_network

START = "M_mix has an average AUC of 0.756 on 779 test images"


def results_with(**differences: tuple[float, float, float]) -> Results:
    """Results that compare M_mix with the named models only."""
    results = sample_results()
    results["auc"]["mix"]["average"]["auc"] = 0.756
    results["comparisons"] = [
        {"a": "mix", "b": b, "distortion": "average", "delta": delta, "ci95": [low, high]}
        for b, (delta, low, high) in differences.items()
    ]
    return results


@pytest.mark.parametrize(
    ("against_all", "words"),
    [
        ((0.035, 0.01, 0.06), "0.035 higher than that of M_all (0.010 to 0.060)"),
        ((-0.035, -0.06, -0.01), "0.035 lower than that of M_all (0.010 to 0.060)"),
        (
            (-0.002, -0.02, 0.016),
            "not shown to differ from that of M_all (−0.002, −0.020 to +0.016)",
        ),
    ],
)
def test_says_what_the_interval_allows(against_all: tuple[float, float, float], words: str) -> None:
    results = results_with(clean=(0.262, 0.24, 0.28), all=against_all)
    clean = "0.262 higher than that of M_clean (95 % interval 0.240 to 0.280)"
    assert headline(results) == f"{START}; that is {clean} and {words}."


def test_a_stronger_baseline_is_not_hidden() -> None:
    results = results_with(all=(0.03, 0.01, 0.05), all_long=(-0.02, -0.03, -0.01))
    assert "0.020 lower than that of M_all_long" in headline(results)


def test_a_gate_that_failed_is_told() -> None:
    results = results_with()
    assert headline(results) == f"{START}."
    results["gate"][2]["beats_constant"] = False
    assert headline(results) == f"{START}; but THE GATE HAS FAILED for seed 2."


def test_the_original_network_is_the_one_that_results_name() -> None:
    results = sample_results()
    experts = results["experts"]
    assert original_network({**results, "clean": experts[1]}) == experts[1]
    assert original_network({**results, "clean": None}) == experts[0]  # all saw distortions


def test_what_to_ship_comes_first() -> None:
    results = recommending(results_with())
    assert headline(results) == f"{results['recommendation']['reason']} {START}."


def test_studies_with_other_names() -> None:
    results = sample_results()
    results["baselines"] = []
    assert "M_clean" in headline(results)
    assert "M_all" not in headline(results)


def renamed(results: Results, names: dict[str, str], order: list[str]) -> Results:
    """The same run with other names of its experts, listed in another order."""
    text = json.dumps(results)
    for old in names:  # in two steps, as a name may be that of another one
        text = text.replace(json.dumps(old), json.dumps(f"<{old}>"))
    for old, new in names.items():
        text = text.replace(json.dumps(f"<{old}>"), json.dumps(new))
    changed: Results = json.loads(text)
    changed["experts"] = [names[name] for name in order]
    changed["clean"] = names["clean"]
    return changed


@settings(deadline=None, max_examples=30)
@given(
    new=st.permutations(["clean", "noise", "blur", "sharp", "all_of_it", "mixed"]),
    order=st.sampled_from(list(permutations(["clean", "noise", "blur"]))),
)
def test_the_clean_expert_is_known_by_its_role_whatever_it_is_called(
    new: list[str], order: tuple[str, ...]
) -> None:
    results = results_with(clean=(0.262, 0.24, 0.28), all=(0.035, 0.01, 0.06))
    names = dict(zip(("clean", "noise", "blur"), new, strict=False))
    other = renamed(copy.deepcopy(results), names, list(order))
    assert original_network(other) == names["clean"]
    assert headline(other) == headline(results).replace("M_clean", f"M_{names['clean']}")
    assert hardest_distortion(other) == hardest_distortion(results)
    for distortion in results["distortions"]:
        assert [(kept.words, kept.share) for kept in kept_accuracy(other, distortion)] == [
            (kept.words, kept.share) for kept in kept_accuracy(results, distortion)
        ]
    styles = line_styles(other)
    assert styles[names["clean"]] == line_styles(results)["clean"]
    assert len(set(styles.values())) == len(styles)
