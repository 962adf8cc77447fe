"""The tables of results.json, from right and wrong answers made up at random."""

import json
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mixqual.evaluation import AccuracyCurve, Bootstrap, Keep, auc, grid_cells
from mixqual.evaluation.areas import Scored, accuracy_tables, comparisons
from mixqual.evaluation.cell_tables import kept_tables
from mixqual.results.names import AVERAGE

LEVELS = {"gaussian_noise": (0.0, 50.0, 100.0), "gaussian_blur": (0.0, 1.0, 2.0, 3.0)}
CELLS = grid_cells(LEVELS, {})
NAMES = (*LEVELS, AVERAGE)


def scored(seed: int, models: int = 3, images: int = 40, seeds: int = 2) -> Scored:
    generator = np.random.default_rng(seed)
    shares = generator.uniform(0.2, 0.9, (models, len(CELLS), 1))
    return Scored(
        CELLS,
        LEVELS,
        {
            number: {
                f"m{model}": generator.random((len(CELLS), images)) < shares[model]
                for model in range(models)
            }
            for number in range(seeds)
        },
    )


def bootstrap(images: int = 40, resamples: int = 200) -> Bootstrap:
    return Bootstrap.draw(images, resamples, seed=1)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), seeds=st.integers(1, 3))
def test_areas_are_those_under_the_curves_of_accuracy(seed: int, seeds: int) -> None:
    tables = accuracy_tables(scored(seed, seeds=seeds), bootstrap())
    for model, areas in tables["auc"].items():
        both = []
        for name, levels in LEVELS.items():
            accuracy = tuple(tables["accuracy"][model][name].values())
            assert list(tables["accuracy"][model][name]) == [format(v, "g") for v in levels]
            curve = AccuracyCurve(levels, accuracy, 40)
            assert areas[name]["auc"] == pytest.approx(auc(curve), abs=2e-6)
            without = auc(curve, include_clean=False)
            assert areas[name]["auc_without_clean"] == pytest.approx(without, abs=2e-6)
            assert without == pytest.approx(np.mean(accuracy[1:]))
            both.append(areas[name]["auc"])
        assert areas[AVERAGE]["auc"] == pytest.approx(np.mean(both), abs=2e-6)


def test_accuracies_are_counted_image_by_image() -> None:
    given_ = scored(3, seeds=2)
    table = accuracy_tables(given_, bootstrap())["accuracy"]
    for model in given_.models:
        for name, levels in LEVELS.items():
            for level in levels:
                right = total = 0
                for correct in given_.by_seed.values():
                    for cell, row_N in zip(CELLS, correct[model], strict=True):
                        if cell.level == level and (level == 0 or cell.distortion == name):
                            right, total = right + int(row_N.sum()), total + len(row_N)
                assert total == 80
                assert table[model][name][format(level, "g")] == pytest.approx(right / total)


def test_the_clean_point_is_shared() -> None:
    table = accuracy_tables(scored(5), bootstrap())["accuracy"]
    for levels in table.values():
        assert levels["gaussian_noise"]["0"] == levels["gaussian_blur"]["0"]


def test_seeds_are_averaged() -> None:
    given_ = scored(7, seeds=3)
    together = accuracy_tables(given_, bootstrap())["auc"]
    alone = [
        accuracy_tables(Scored(CELLS, LEVELS, {number: correct}), bootstrap())["auc"]
        for number, correct in given_.by_seed.items()
    ]
    for model in given_.models:
        for name in NAMES:
            each = [tables[model][name]["auc"] for tables in alone]
            assert together[model][name]["seeds"] == each
            assert together[model][name]["auc"] == pytest.approx(np.mean(each), abs=1e-6)


def test_kept_levels_by_hand() -> None:
    """10 images; the noise takes 0, 2 and 8 of them, the blur none, and never one on average."""
    right = np.ones((2, len(CELLS), 10), dtype=bool)
    for row, cell in enumerate(CELLS):
        if cell.distortion == "gaussian_noise":
            right[:, row, : 2 if cell.level == 50 else 8] = False
    right[1, :, 9] = False  # the second training is wrong on the last image everywhere
    two = Scored(CELLS, LEVELS, {n: {"m": right[n]} for n in range(2)})
    keeps = [Keep(0.5), Keep(0.97, of_clean=False)]
    found = kept_tables(two, keeps, bootstrap(10))["m"]
    assert list(found) == list(LEVELS)
    # Accuracy 0.95, 0.75, 0.15 of both: 0.475 lies 0.275 / 0.6 of the way from 50 to 100.
    noise = found["gaussian_noise"]["50%"]
    assert noise["level"] == pytest.approx(50 + 50 * 0.275 / 0.6, abs=1e-6)
    # 1.0, 0.8, 0.2 and 0.9, 0.7, 0.1.
    assert noise["seeds"] == pytest.approx([75.0, 50 + 50 * 0.25 / 0.6], abs=1e-6)
    assert noise["ci95"][0] < noise["level"] < noise["ci95"][1]
    assert found["gaussian_blur"]["50%"]["level"] == "beyond"
    assert found["gaussian_blur"]["50%"]["ci95"] == ["beyond", "beyond"]
    blur = found["gaussian_blur"]["0.97"]
    assert (blur["level"], blur["seeds"]) == ("never", ["beyond", "never"])
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_comparisons_are_differences_of_areas_and_add_up(seed: int) -> None:
    given_ = scored(seed, models=4)
    areas = accuracy_tables(given_, bootstrap())["auc"]
    found = comparisons(given_, bootstrap())
    assert len(found) == len(NAMES) * 6
    deltas = {(row["a"], row["b"], row["distortion"]): row["delta"] for row in found}
    for (a, b, name), delta in deltas.items():
        assert delta == pytest.approx(areas[a][name]["auc"] - areas[b][name]["auc"], abs=2e-6)
        assert (b, a, name) not in deltas
    for name in NAMES:
        for low, mid, high in combinations(given_.models, 3):
            whole = deltas[mid, low, name] + deltas[high, mid, name]
            assert deltas[high, low, name] == pytest.approx(whole, abs=3e-6)
    for row in found:
        assert row["ci95"][0] <= row["delta"] <= row["ci95"][1]


def area_of_image(correct: dict[str, np.ndarray], model: str, image: int) -> float:
    """The average AUC over one image."""
    each = []
    for name, levels in LEVELS.items():
        rows = [0, *(row for row, cell in enumerate(CELLS) if cell.distortion == name)]
        accuracy = tuple(float(correct[model][row, image]) for row in rows)
        each.append(auc(AccuracyCurve(levels, accuracy, 1)))
    return float(np.mean(each))


def test_several_trainings_have_an_interval_over_them_too() -> None:
    """With one image alike: Student's interval over the trainings' own areas."""
    one = scored(19, models=2, images=1, seeds=4)
    alike = Scored(
        CELLS,
        LEVELS,
        {n: {m: np.repeat(r, 30, axis=1) for m, r in c.items()} for n, c in one.by_seed.items()},
    )
    own = {m: [area_of_image(c, m, 0) for c in one.by_seed.values()] for m in one.models}
    areas = accuracy_tables(alike, bootstrap(30))["auc"]
    for model, values in own.items():
        expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert areas[model][AVERAGE]["ci95_trainings"] == pytest.approx(expected, abs=1e-6)
    (row,) = (r for r in comparisons(alike, bootstrap(30)) if r["distortion"] == AVERAGE)
    expected = stats.ttest_rel(own["m1"], own["m0"]).confidence_interval(0.95)
    assert row["ci95_trainings"] == pytest.approx(expected, abs=1e-6)


def test_one_training_has_no_interval_over_trainings() -> None:
    one = scored(19, seeds=1)
    assert "ci95_trainings" not in accuracy_tables(one, bootstrap())["auc"]["m0"][AVERAGE]
    assert "ci95_trainings" not in comparisons(one, bootstrap())[0]


def test_comparisons_are_antisymmetric() -> None:
    """With the order of the models turned, differences and intervals change their sign."""
    given_ = scored(11)
    turned = Scored(
        CELLS,
        LEVELS,
        {n: dict(reversed(correct.items())) for n, correct in given_.by_seed.items()},
    )
    forward = {(r["a"], r["b"], r["distortion"]): r for r in comparisons(given_, bootstrap())}
    for row in comparisons(turned, bootstrap()):
        other = forward[row["b"], row["a"], row["distortion"]]
        assert row["delta"] == -other["delta"]
        assert row["ci95"] == pytest.approx([-end for end in reversed(other["ci95"])], abs=1e-6)


def test_equal_models_do_not_differ_whatever_their_own_intervals() -> None:
    """Paired: the same images are drawn for both, so that their luck cancels."""
    given_ = scored(13, models=1)
    twins = Scored(
        CELLS, LEVELS, {n: {"m0": c["m0"], "twin": c["m0"]} for n, c in given_.by_seed.items()}
    )
    for row in comparisons(twins, bootstrap()):
        assert row["delta"] == 0
        assert row["ci95"] == [0, 0]
    low, high = accuracy_tables(twins, bootstrap())["auc"]["twin"][AVERAGE]["ci95"]
    assert high - low > 0.03


def test_intervals_are_percentiles_of_areas_of_resampled_images() -> None:
    """The same interval, with every resample's images listed and its area computed anew."""
    given_ = scored(17, models=2, images=12, seeds=1)
    draws = Bootstrap.draw(12, 150, seed=2)
    found = {(r["a"], r["distortion"]): r["ci95"] for r in comparisons(given_, draws)}
    (correct,) = given_.by_seed.values()
    differences = []
    for counts_N in draws.counts_RN.astype(int):
        chosen = np.repeat(np.arange(12), counts_N)
        assert len(chosen) == 12
        areas = []
        for model in ("m1", "m0"):
            accuracy = correct[model][:, chosen].mean(1)
            curve = AccuracyCurve(LEVELS["gaussian_noise"], tuple(accuracy[:3]), 12)
            areas.append(auc(curve))
        differences.append(areas[0] - areas[1])
    expected = np.quantile(differences, [0.025, 0.975])
    assert found["m1", "gaussian_noise"] == pytest.approx(expected, abs=1e-6)
