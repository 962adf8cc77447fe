from report_samples import sample_results
from trust_samples import trusting_results

from mixqual.report import to_markdown
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
    for name, verdict, share, error, low, high in table.records:
        found = told[name][verdict]
        assert (share, error) == (found["share"], found["error"])
        assert [low, high] == (found["error_ci95"] or [None, None])
    text = to_markdown(table)
    assert "Rule: a rule." in text
    assert "NLL from 0.800 to 0.700 and ECE from 0.100 to 0.050" in text


def test_results_that_do_not_tell_have_none() -> None:
    assert trust_table(sample_results()) is None
