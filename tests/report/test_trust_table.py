from report_samples import sample_results
from trust_samples import trusting_results

from mixqual.layout import to_markdown
from mixqual.report.trust_table import trust_table


def test_every_verdict_of_every_distortion() -> None:
    results = trusting_results()
    table = trust_table(results)
    assert table
    assert [row[0] for row in table.rows] == ["Noise", "Blur", "All that experts know"]
    assert table.rows[0][1:3] == ("50.0 %", "5.0 % [4.0, 7.0]")
    assert table.rows[1][1:3] == ("0.0 %", "–")
    assert table.rules == (2,)
    told = results["trust"][0]["verdicts"]
    for model, name, verdict, share, error, low, high in table.records:
        assert model == "mix"
        found = told[name][verdict]
        assert (share, error) == (found["share"], found["error"])
        assert [low, high] == (found["error_ci95"] or [None, None])
    text = to_markdown(table)
    assert "Rule: a rule." in text
    assert "NLL from 0.800 to 0.700 and ECE from 0.100 to 0.050" in text


def test_baselines_stand_below_and_every_network_in_the_records() -> None:
    alone, results = (
        trusting_results(networks=networks) for networks in ((), ("clean", "noise", "all"))
    )
    results["held_out"] = ["gaussian_blur"]
    for row in results["trust"]:
        row["verdicts"]["held_out_average"] = row["verdicts"]["gaussian_noise"]
    before, table = trust_table(alone), trust_table(results)
    assert before
    assert table
    assert [row[0] for row in table.rows] == [
        *("Noise", "Blur (held out)", "All that experts know", "All held-out"),
        *("M_all", "M_all, held out"),
    ]
    assert table.rows[:1] + table.rows[2:3] == before.rows[:1] + before.rows[2:3]
    assert table.rows[4][1:3] == ("28.0 %", "9.0 % [8.0, 11.0]")
    assert table.rules == (2, 4)
    assert "M_all (2.500; usable from 0.800, retake below 0.500)" in to_markdown(table)
    assert "M_clean" not in to_markdown(table)
    assert list(dict.fromkeys(row[0] for row in table.records)) == ["mix", "clean", "noise", "all"]
    for model, name, verdict, share, *_ in table.records:
        (told,) = (row for row in results["trust"] if row["model"] == model)
        assert share == told["verdicts"][name][verdict]["share"]


def test_results_that_do_not_tell_have_none() -> None:
    assert trust_table(sample_results()) is None
