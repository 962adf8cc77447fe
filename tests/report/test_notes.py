from report_samples import sample_results

from mixqual.report import auc_table, comparisons_table


def notes(**settings: int) -> str:
    return "\n".join(auc_table(sample_results(**settings)).notes)


def test_a_gate_that_failed_is_a_warning() -> None:
    results = sample_results()
    assert auc_table(results).warnings == ()
    assert any("The gate beats the best constant" in note for note in auc_table(results).notes)
    results["gate"][1].update(beats_constant=False, val_loss=0.31)
    for table in (auc_table(results), comparisons_table(results)):
        (warning,) = table.warnings
        assert "THE GATE HAS FAILED for seed 1." in warning
        assert "0.3100 against 0.2013 (seed 1)" in warning
    assert not any("The gate beats" in note for note in auc_table(results).notes)
    # A comparison of single networks does not depend on the gate.
    assert comparisons_table(results, against="all").warnings == ()


def test_a_patch_gate_is_named() -> None:
    results = sample_results()
    results["provenance"]["gate"] = "patch"
    assert any("The patch gate beats" in note for note in auc_table(results).notes)


def test_scaled_levels_are_named() -> None:
    assert "Noise up to 100 grey levels, 11 levels" in notes()
    assert "Blur up to 5.714 pixels (scaled to images of 128 px: 10 at 224 px)" in notes()
    assert "Blur up to 10 pixels (not scaled)" in notes(size=224)


def test_noise_that_is_the_same_in_all_channels_is_named() -> None:
    results = sample_results()
    assert "channels" not in "\n".join(auc_table(results).notes)
    results["distortions"]["gaussian_noise"]["options"] = {"gray": True}
    results["distortions"]["gaussian_blur"]["parts"] = [
        {"options": {}},
        {"options": {"gray": True}},
    ]
    text = "\n".join(auc_table(results).notes)
    assert text.count("11 levels with the clean one, the same in all channels") == 2


def test_seeds_and_their_spread() -> None:
    results = sample_results()
    # Standard deviation of 1, 2, 3 hundredths with n - 1: one hundredth.
    results["auc"]["mix"]["average"]["seeds"] = [0.71, 0.72, 0.73]
    text = "\n".join(auc_table(results).notes)
    assert "means over 3 trainings, with seeds 0, 1 and 2" in text
    assert "0.710, 0.720, 0.730 (standard deviation 0.010; its 95 % interval over the 3" in text
    del results["auc"]["mix"]["average"]["ci95_trainings"]  # results of an older version
    assert "(standard deviation 0.010)." in "\n".join(auc_table(results).notes)
    assert "One training, with seed 0" in notes(seeds=1)
    assert "mean over" not in notes(seeds=1)


def test_both_conventions_of_the_area() -> None:
    results = sample_results()
    results["auc"]["all"]["average"]["auc_without_clean"] = 0.1234
    assert "M_all 0.123" in auc_table(results).notes[0]


def test_counts_credit_and_origin() -> None:
    text = notes()
    assert "779 test images" in text
    assert "401 left out" in text
    assert "mixqual 0.1.0, commit 0123abcd" in text
    assert text.endswith("Photographs: A. Author, CC BY-NC-SA 4.0")


def test_what_is_not_known_is_not_said() -> None:
    results = sample_results()
    results["provenance"].update(credit="", commit=None, left_out=0)
    text = "\n".join(auc_table(results).notes)
    assert "commit" not in text
    assert "None" not in text
    assert "left out" not in text
    assert all(auc_table(results).notes)


def test_a_gap_in_the_optimal_weights_is_named_only_if_large() -> None:
    results = sample_results()
    assert "certified only" not in "\n".join(auc_table(results).notes)
    results["largest_gap"] = 3.2e-7
    assert "certified only to within 3.2e-07" in "\n".join(auc_table(results).notes)
