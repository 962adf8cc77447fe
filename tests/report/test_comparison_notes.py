from collections.abc import Sequence

from comparison_samples import run_results, runs_of, set_grid
from report_samples import Results

from mixqual.report.comparison import columns_of
from mixqual.report.comparison_notes import comparison_notes, comparison_warnings


def notes_of(*found: Results) -> str:
    runs = runs_of(*found)
    return "\n".join(comparison_notes(runs, columns_of(runs)))


def changed(results: Results, **facts: object) -> Results:
    return results | {"provenance": results["provenance"] | facts}


def says(notes: str, parts: Sequence[str]) -> bool:
    return any(all(part in note for part in parts) for note in notes.splitlines())


def test_runs_that_differ_in_name_alone_get_no_note_of_a_difference() -> None:
    notes = notes_of(run_results("x"), run_results("y"))
    assert notes.count("\n") == 0
    assert "nothing is paired" in notes


def test_other_data_is_said_first() -> None:
    x = run_results("x")
    images = {"train": 20, "val": 4, "test": 24}
    notes = notes_of(x, changed(run_results("y"), images=images))
    assert says(notes, ["OTHER DATA", "779 test in x", "24 test in y"])
    assert says(notes_of(x, changed(run_results("y"), credit=None)), ["OTHER DATA", "source"])
    notes = notes_of(x, changed(run_results("y"), classes=["cat", "dog"]))
    assert says(notes, ["OTHER DATA", "cat, dog in y"])
    assert "OTHER DATA" not in notes_of(x, run_results("y"))


def test_every_other_origin_is_said() -> None:
    other = changed(run_results("y", size=224), backbone="torchvision/vgg16", device="another")
    notes = notes_of(run_results("x"), other)
    assert says(notes, ["Backbone differs: timm/tf_efficientnet_lite0 in x; torchvision/vgg16"])
    assert says(notes, ["Size", "128 in x; 224 in y"])
    assert says(notes, ["Device differs", "another in y"])


def test_other_levels_are_said_with_their_ends() -> None:
    weak = run_results("weak")
    set_grid(weak, "gaussian_noise", 0.5)
    notes = notes_of(run_results("x"), weak)
    assert says(notes, ["Noise AUC", "11 levels to 100 grey levels", "11 levels to 50 grey levels"])
    assert says(notes, ["The average", "over other distortions or levels", "not to be compared"])
    assert not says(notes, ["Blur AUC"])


def test_a_distortion_that_a_run_lacks_is_said() -> None:
    notes = notes_of(run_results("x"), run_results("more", distortions=3))
    assert says(notes, ["JPEG AUC was not measured in x."])
    assert says(notes, ["The average", "in x; in more"])


def test_joined_and_unjoined_seeds_are_said() -> None:
    first, second = run_results("x", [0, 1]), run_results("x", [2])
    notes = notes_of(first, second)
    assert says(notes, ["x (a) and x (b) are one study", "3 trainings", "older results"])
    hashed = [changed(results, study_hash="01") for results in (first, second)]
    assert says(notes_of(*hashed), ["are one study"])
    assert "older results" not in notes_of(*hashed)
    assert says(notes_of(first, run_results("x", [1])), ["have seeds in common: not put together"])
    hashed[1] = changed(second, study_hash="02")
    assert says(notes_of(*hashed), ["differ in more than their seeds: not put together"])


def test_warnings_name_their_run() -> None:
    runs = runs_of(run_results("x"), run_results("y", gate_works=False))
    (warning,) = comparison_warnings(runs)
    assert warning.startswith("y: WARNING: THE GATE HAS FAILED")
