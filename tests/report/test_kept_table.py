import pytest
from report_samples import Results, sample_results

from mixqual.layout import to_csv
from mixqual.report import kept_table
from mixqual.report.kept_table import kept_sentence, kept_words
from mixqual.results.wording import model_label


def results_with(level: object, ends: list[object], down: bool = False) -> Results:
    """Noise with levels by hand; with `down` they fall, as JPEG quality does."""
    results = sample_results(1)
    levels = [100.0, 10.0] if down else [0.0, 100.0]
    results["distortions"]["gaussian_noise"]["levels"] = levels
    for kept in results["kept_levels"].values():
        kept["gaussian_noise"] = {"90%": {"level": level, "ci95": ends, "seeds": []}}
    return results


@pytest.mark.parametrize(
    ("level", "ends", "down", "text", "words"),
    [
        (
            *(41.234, [36.04, 47.0], False),
            *("41.2 [36.0, 47.0]", "noise up to σ = 41.2 grey levels [36.0, 47.0]"),
        ),
        (
            *(41.234, [60.04, 23.0], True),
            *("41.2 [60.0, 23.0]", "noise down to σ = 41.2 grey levels [60.0, 23.0]"),
        ),
        (
            *(91.0, [36.0, "beyond"], False),
            *("91.0 [36.0, > 100]", "noise up to σ = 91.0 grey levels [36.0, > 100]"),
        ),
        (
            *("beyond", [91.0, "beyond"], False),
            *(
                "> 100 [91.0, > 100]",
                "noise at every level tested (σ to 100 grey levels [91.0, > 100])",
            ),
        ),
        (
            *("beyond", ["beyond", "beyond"], True),
            *("< 10", "noise at every level tested (σ to 10 grey levels)"),
        ),
        (*("never", ["never", 5.0], False), *("– [–, 5.00]", "noise at no level")),
        (*("never", ["never", "never"], False), *("–", "noise at no level")),
    ],
)
def test_levels_in_words_and_in_the_table(
    level: object, ends: list[object], down: bool, text: str, words: str
) -> None:
    results = results_with(level, ends, down)
    table = kept_table(results)
    assert table is not None
    assert table.header == ("Model", "Keeps", "Noise σ (grey levels)")
    assert all(row[1:] == ("90 % of clean", text) for row in table.rows)
    assert [row[0] for row in table.rows] == [model_label(model) for model in results["models"]]
    row = results["kept_levels"]["mix"]["gaussian_noise"]["90%"]
    assert kept_words(results, "gaussian_noise", row) == words
    expected = f"M_mix keeps 90 % of its accuracy on clean images under {words}."
    assert kept_sentence(results, "mix") == expected
    assert f"mix,gaussian_noise,90%,{level},{ends[0]},{ends[1]}" in to_csv(table).splitlines()


def test_many_distortions_are_rows() -> None:
    table = kept_table(sample_results(5))
    assert table is not None
    assert table.header[:3] == ("Distortion", "Keeps", "M_clean")
    assert len(table.rows) == 5
    assert kept_sentence(sample_results(5), "mix") == ""


def test_what_is_enough_is_a_block_of_rows_each() -> None:
    results = sample_results()
    for kept in results["kept_levels"].values():
        for by_keep in kept.values():
            by_keep["0.8"] = {"level": 7.0, "ci95": [6.0, 8.0], "seeds": []}
    table = kept_table(results)
    assert table is not None
    models = len(results["models"])
    assert table.rules == (models,)
    assert {row[1] for row in table.rows[:models]} == {"90 % of clean"}
    expected = ("accuracy 0.8", *["7.00 [6.00, 8.00]"] * 2)
    assert {row[1:] for row in table.rows[models:]} == {expected}
    assert kept_sentence(results, "all").endswith(
        "M_all keeps an accuracy of 0.8 under noise up to σ = 7.00 grey levels [6.00, 8.00] and "
        "blur up to σ = 7.00 pixels at 128 px [6.00, 8.00]."
    )


def test_older_results_and_studies_that_ask_for_none_have_no_table() -> None:
    results = sample_results()
    nothing = {m: {name: {} for name in kept} for m, kept in results["kept_levels"].items()}
    assert kept_table(results | {"kept_levels": nothing}) is None
    del results["kept_levels"]
    assert kept_sentence(results | {"kept_levels": nothing}, "mix") == ""
    assert kept_table(results) is None
    assert kept_sentence(results, "mix") == ""
