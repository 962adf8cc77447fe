"""The facts of a run."""

from report_samples import sample_results

from mixqual.report.page.facts import (
    class_names,
    gate_table,
    left_out_tables,
    provenance_facts,
    study_facts,
    training_table,
)


def test_facts_are_those_of_the_results() -> None:
    facts = dict(study_facts(sample_results()) + provenance_facts(sample_results()))
    assert facts["Images"] == "1111 to train on, 333 to validate, 779 to test, 401 left out"
    assert facts["Experts"] == "M_clean, M_noise and M_blur"
    assert facts["Distortions"] == (
        "Noise from 0 to 100 grey levels in 11 levels; Blur from 0 to 5.714 pixels in 11 levels"
    )
    assert facts["Seeds"] == "0, 1 and 2"
    assert facts["Device"] == "a made-up processor, 2 threads"
    assert facts["Commit"] == "0123abcd"
    assert "Held out" not in facts
    assert "Gate" not in facts


def test_what_is_held_out_and_unknown_is_said() -> None:
    results = sample_results() | {"held_out": ["gaussian_blur"]}
    results["provenance"]["commit"] = None
    results["provenance"]["processes"] = 4
    results["baselines"] = []
    results["provenance"]["gate"] = "patch"
    facts = dict(study_facts(results) + provenance_facts(results))
    assert facts["Gate"] == "patch: it looks at the central pixels of an image alone"
    assert facts["Held out"] == "Blur: no expert was trained on it"
    assert facts["Commit"] == "–"
    assert facts["Device"].endswith(", 4 processes")
    assert facts["Baselines"] == "none"


def test_classes_may_be_a_key_of_their_own() -> None:
    results = sample_results()
    assert class_names(results) == []
    results["provenance"]["classes"] = ["a", "b"]
    assert class_names(results) == ["a", "b"]
    assert dict(study_facts(results))["Classes"] == "a and b"
    assert class_names(results | {"classes": ["x", "y"]}) == ["x", "y"]


def test_training_has_a_row_for_each_fit_and_keeps_networks_together() -> None:
    table = training_table(sample_results())
    assert table
    assert len(table.rows) == 5 * 3
    assert table.rows[:3] == tuple(
        ("clean", str(seed), str(400 + 30 * seed), "12", "9", "0.6000") for seed in range(3)
    )
    assert training_table(sample_results() | {"training": {}}) is None


def test_a_gate_that_failed_stands_out() -> None:
    table = gate_table(sample_results(gate_works=False))
    assert table
    assert {row[3] for row in table.rows} == {"NO"}
    assert gate_table(sample_results() | {"gate": []}) is None


def test_files_that_were_left_out_are_counted_by_reason() -> None:
    files = [{"id": f"{n}.png", "reason": "broken" if n % 3 else "no label"} for n in range(700)]
    reasons, names = left_out_tables(sample_results() | {"left_out": files})
    assert reasons.rows == (("broken", "466"), ("no label", "234"))
    assert (len(names.rows), names.notes) == (
        500,
        ("And 200 more files: all are in left_out.csv.",),
    )
    assert reasons.notes == ()
    assert left_out_tables(sample_results() | {"left_out": []}) == []
