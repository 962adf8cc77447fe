"""What is to be shipped, from right and wrong answers made up at random."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from small_elpv import write_study

from mixqual.evaluation import Bootstrap, Cell, Cube, OutputArray
from mixqual.fusion import right_answers
from mixqual.plan import Plan
from mixqual.recommendation import Rated, rate, rate_conditional, recommend
from mixqual.study_file import load_study_config
from mixqual.thresholds import TAUS, Swept, swept
from mixqual.tree_results import Shared

VAL, TEST = 300, 200
SINGLE, MIX = (1.0, 10.0), (3.5, 31.0)
"""MACs and parameters."""


def answers(images: int, chances: Sequence[float], seed: int) -> NDArray[np.float64]:
    """(training, image): the same images are hard in all trainings and for all models."""
    ease_N = np.random.default_rng(seed).random(images)
    return np.stack([(ease_N < chance).astype(np.float64) for chance in chances])


def rated(name: str, cost: tuple[float, float], val: Sequence[float], test: float = 0.5) -> Rated:
    return Rated(name, *cost, answers(VAL, val, 0), answers(TEST, [test] * len(val), 1))


def recommendation(*models: Rated) -> dict[str, object]:
    return recommend(models, Bootstrap.draw(VAL, 400, seed=2), Bootstrap.draw(TEST, 400, seed=3))


def test_a_dearer_model_that_is_not_shown_to_be_better_is_not_shipped() -> None:
    all_, mix = rated("all", SINGLE, [0.8], 0.75), rated("mix", MIX, [0.803], 0.76)
    found = recommendation(rated("clean", SINGLE, [0.5]), all_, mix)
    assert (found["ship"], found["mode"]) == ("all", "full")
    assert [row["model"] for row in found["front"]] == ["all", "mix"]
    against = found["against"]
    assert (against["model"], against["dearer"], against["cheaper"]) == ("mix", "mix", "all")
    assert (against["macs_ratio"], against["params_ratio"]) == (3.5, 3.1)
    delta_N = mix.test_SN[0] - all_.test_SN[0]
    assert against["delta"] == pytest.approx(delta_N.mean())
    low, high = Bootstrap.draw(TEST, 400, seed=3).interval(delta_N)
    assert against["ci95"] == pytest.approx([low, high], abs=1e-6)
    assert "ci95_trainings" not in against
    assert found["reason"].startswith("Ship M_all: M_mix costs 3.5 times as much and is ")


def test_the_choice_goes_by_validation_and_not_by_test() -> None:
    """The test images say the contrary, and are not asked."""
    found = recommendation(
        rated("all", SINGLE, [0.7], test=0.9), rated("mix", MIX, [0.8], test=0.6)
    )
    assert found["ship"] == "mix"
    assert found["against"]["val_delta"] > 0.05
    assert found["against"]["delta"] < -0.2
    assert "but is worse on the test images" in found["reason"]


def test_several_trainings_are_draws_too() -> None:
    """A lead that the images alone would show is not shown over trainings that differ as much."""
    all_, mix = [0.70, 0.75, 0.80], [0.80, 0.75, 0.76]
    one = recommendation(rated("all", SINGLE, [np.mean(all_)]), rated("mix", MIX, [np.mean(mix)]))
    assert one["ship"] == "mix"
    three = recommendation(rated("all", SINGLE, all_), rated("mix", MIX, mix))
    assert three["ship"] == "all"
    assert three["against"]["val_ci95"][0] < 0 < three["against"]["val_delta"]
    assert len(three["against"]["ci95_trainings"]) == 2
    assert all("ci95_trainings" in row for row in three["front"])


def test_what_cannot_be_exported_is_on_the_front_but_not_shipped() -> None:
    found = recommendation(
        rated("all", SINGLE, [0.6]), rated("avg", (3.0, 30.0), [0.9]), rated("mix", MIX, [0.8])
    )
    assert [(row["model"], row["exported"]) for row in found["front"]] == [
        ("all", True),
        ("avg", False),
    ]
    # "avg" is preferable to "mix", but nobody can have it.
    assert found["ship"] == "mix"
    assert found["against"]["model"] == "all"


def test_the_conditional_mode_is_that_of_the_mixture() -> None:
    conditional = rated("conditional", (1.2, 31.0), [0.8], 0.8)
    found = recommendation(rated("all", SINGLE, [0.6], 0.6), conditional, rated("mix", MIX, [0.8]))
    assert (found["ship"], found["mode"]) == ("mix", "conditional")
    assert found["reason"].startswith("Ship M_mix in conditional mode: it costs 1.2 times as much")


def test_of_equal_cost_the_better_one_is_shipped() -> None:
    found = recommendation(rated("all", SINGLE, [0.7]), rated("long", SINGLE, [0.702]))
    assert found["ship"] == "long"
    assert found["against"]["model"] == "all"
    assert (found["against"]["dearer"], found["against"]["macs_ratio"]) == ("all", 1)


def test_the_intervals_are_over_the_trainings_where_all_images_are_alike() -> None:
    """Then Student's interval over the differences of the trainings is the oracle."""
    test_SN = {
        name: np.repeat(np.random.default_rng(seed).random((4, 1)), TEST, axis=1)
        for seed, name in enumerate(("all", "mix"))
    }
    val_SN = {name: answers(VAL, [0.6, 0.7, 0.6, 0.7], 0) for name in test_SN}
    found = recommendation(
        *(
            Rated(name, *cost, val_SN[name], test_SN[name])
            for name, cost in (("all", SINGLE), ("mix", MIX))
        )
    )
    own = stats.ttest_rel(test_SN["mix"][:, 0], test_SN["all"][:, 0]).confidence_interval(0.95)
    assert found["against"]["ci95_trainings"] == pytest.approx([own.low, own.high], abs=1e-6)


def random_cube(root: Path, plan: Plan, cells: Sequence[Cell], seed: int) -> Cube:
    generator, images = np.random.default_rng(seed), 30
    arrays = {}
    for name in (*plan.networks, "gate"):
        columns = len(plan.config.experts) if name == "gate" else 4
        arrays[name] = OutputArray(root / f"{name}.zarr", images, columns)
        arrays[name].add_cells(list(cells))
        for cell in cells:
            values = generator.dirichlet(np.full(columns, 0.5), size=images)
            arrays[name].write(cell, 0, values.astype(np.float32))
    return Cube(arrays, cells, generator.integers(0, 4, images))


def test_validation_areas_are_those_that_other_code_finds(tmp_path: Path) -> None:
    """M_mix and M_hardmix are the ends of the conditional curve; one network is done by hand."""
    plan = Plan(load_study_config(write_study(tmp_path / "tiny.toml", tmp_path)), "0")
    val = random_cube(tmp_path / "val", plan, plan.val_cells, 0)
    test = random_cube(tmp_path / "test", plan, plan.test_cells, 1)
    experts = list(plan.config.experts)
    right = right_answers(test, experts, list(plan.config.baselines))
    cost = {name: {"macs": 2.0, "params": 3.0} for name in right}
    found = {
        each.name: each
        for each in rate(plan, {0: val}, {0: Shared({}, {}, {}, {}, {})}, {0: right}, cost)
    }
    assert found.keys() == {*plan.networks, "avg", "max", "hardmix", "mix"}
    for split, cube in (("val", val), ("test", test)):
        expected_T = swept(cube, experts, plan.levels).areas_T
        for model, place in (("mix", 0), ("hardmix", -1)):
            area_SN = found[model].val_SN if split == "val" else found[model].test_SN
            assert area_SN.mean() == pytest.approx(expected_T[place], abs=1e-6)
    areas = []
    for name, levels in plan.levels.items():
        accuracy = [
            np.mean(
                [
                    (val.arrays["all"].read(cell).argmax(1) == val.labels_N).mean()
                    for cell in plan.val_cells
                    if cell.level == level and cell.distortion == (name if level else "clean")
                ]
            )
            for level in levels
        ]
        areas.append(np.trapezoid(accuracy, levels) / levels[-1])
    assert found["all"].val_SN.mean() == pytest.approx(np.mean(areas))


def test_the_conditional_mode_has_the_numbers_of_its_threshold() -> None:
    generator = np.random.default_rng(5)
    of_seeds = {
        seed: {
            split: Swept(generator.random((len(TAUS), images)), np.linspace(3, 1 + seed, len(TAUS)))
            for split, images in (("val", VAL), ("test", TEST))
        }
        for seed in (0, 1)
    }
    cost = {
        "avg": {"macs": 3000, "params": 9, "experts_run": 3},
        "mix": {"macs": 3400, "params": 10, "experts_run": 3},
    }
    found = rate_conditional(of_seeds, TAUS[-1], cost)
    # The gate's 400, and of the experts 1 and 2 of 1,000 each.
    assert (found.macs, found.params) == (400 + 1500, 10)
    for seed in (0, 1):
        np.testing.assert_array_equal(found.val_SN[seed], of_seeds[seed]["val"].right_TN[-1])
        np.testing.assert_array_equal(found.test_SN[seed], of_seeds[seed]["test"].right_TN[-1])
