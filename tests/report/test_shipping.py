import pytest
from report_samples import recommending, sample_results

from mixqual.layout import to_csv
from mixqual.report import front_table
from mixqual.results.shipping import shipping_reason


def reason(
    ship: str,
    *ends: float,
    ratios: tuple[float, float] = (3.45, 3.03),
    trainings: tuple[float, float] | None = None,
) -> str:
    """M_mix against the cheaper M_all, on average 0.004 better on test images."""
    found = recommending(sample_results(), ship)["recommendation"]
    found["against"] |= {"ci95": list(ends), "macs_ratio": ratios[0], "params_ratio": ratios[1]}
    if trainings:
        found["against"]["ci95_trainings"] = list(trainings)
    return shipping_reason(found)


SIZE = "(average AUC +0.004 [−0.010, +0.018])"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            reason("all", -0.010, 0.018),
            f"Ship M_all: M_mix costs 3.5 times as much and is not shown to be better {SIZE}.",
        ),
        (
            reason("all", 0.001, 0.007),
            "Ship M_all: M_mix costs 3.5 times as much and is not shown to be better on the "
            "validation images, by which is chosen, though it is on the test images (average AUC "
            "+0.004 [+0.001, +0.007]).",
        ),
        (
            reason("all", -0.03, -0.01),
            "Ship M_all: M_mix costs 3.5 times as much and is worse (average AUC +0.004 [−0.030, "
            "−0.010]).",
        ),
        (
            reason("mix", 0.001, 0.007),
            "Ship M_mix: it costs 3.5 times as much as M_all and is better (average AUC +0.004 "
            "[+0.001, +0.007]).",
        ),
        (
            reason("mix", -0.010, 0.018),
            "Ship M_mix: it costs 3.5 times as much as M_all and is better on the validation "
            f"images, by which is chosen, but is not shown to be on the test images {SIZE}.",
        ),
        # The interval over trainings is the one that counts, if there is one.
        (
            reason("all", 0.001, 0.007, trainings=(-0.010, 0.018)),
            f"Ship M_all: M_mix costs 3.5 times as much and is not shown to be better {SIZE}.",
        ),
        (
            reason("all", -0.010, 0.018, ratios=(1.04, 3.03)),
            "Ship M_all: M_mix costs as much, with 3.0 times the parameters, and is not shown to "
            f"be better {SIZE}.",
        ),
        (
            reason("all", -0.010, 0.018, ratios=(1.0, 1.0)),
            f"Ship M_all: M_mix costs as much and is not shown to be better {SIZE}.",
        ),
    ],
)
def test_why_in_one_sentence(text: str, words: str) -> None:
    assert text == words


def test_a_model_without_a_rival_is_shipped() -> None:
    found = recommending(sample_results())["recommendation"]
    del found["against"]
    assert shipping_reason(found) == "Ship M_all: no other model can be exported."


def test_the_front_as_a_table() -> None:
    table = front_table(recommending(sample_results()))
    assert table is not None
    assert table.rows == (
        ("M_all", "0.722 [0.700, 0.750]", "0.710", "0.001", "2.00", "ship"),
        ("M_avg", "0.724 [0.700, 0.750]", "0.720", "0.002", "4.00", "cannot be exported"),
        ("M_mix", "0.726 [0.700, 0.750]", "0.730", "0.003", "6.00", ""),
    )
    assert to_csv(table).splitlines()[1] == "all,0.722,0.7,0.75,0.71,1000000,2000000,true,true"
    assert "over the 779 test images" in table.notes[-1]


def test_several_trainings_show_the_interval_over_them() -> None:
    results = recommending(sample_results())
    for row in results["recommendation"]["front"]:
        row["ci95_trainings"] = [0.6, 0.9]
    table = front_table(results)
    assert table is not None
    assert {row[1].partition(" ")[2] for row in table.rows} == {"[0.600, 0.900]"}
    assert "over the 3 trainings and the 779 test images" in table.notes[-1]


def test_the_conditional_mode_is_named() -> None:
    results = recommending(sample_results(), "conditional")
    results["recommendation"]["front"][2]["model"] = "conditional"
    table = front_table(results)
    assert table is not None
    assert table.rows[2][0] == "M_mix in conditional mode"
    assert [row[-1] for row in table.rows] == ["", "cannot be exported", "ship"]


def test_older_results_recommend_nothing() -> None:
    assert front_table(sample_results()) is None
