"""That the sweep covers the paper's grid, and that the peer's sample stands for all of it."""

import pytest

from mixqual.bench import sweep


def test_the_grid_is_the_paper_s() -> None:
    """Section 2: 11 levels each; pixels shrink with the image."""
    levels = sweep._levels()
    assert levels["gaussian_noise"] == tuple(10.0 * step for step in range(11))
    assert levels["gaussian_blur"] == pytest.approx([step * 128 / 224 for step in range(11)])


def test_the_sample_stands_for_every_model_and_level() -> None:
    """4 networks, M_avg, M_max, M_hardmix and M_mix; a clean level, and 10 of each distortion."""
    assert sum(sweep._SINGLE_AND_ENSEMBLES.values()) == 8
    for weights in (sweep._weights(), sweep._as_noise()):
        assert sum(weights.values()) == 21
        assert weights["clean", 0.0] == 1
    by_kind = {kind: 0 for kind, _ in sweep._weights()}
    for (kind, level), count in sweep._weights().items():
        by_kind[kind] += count
        assert level in (0.0, *sweep._levels().get(kind, ()))
    assert by_kind == {"clean": 1, "gaussian_noise": 10, "gaussian_blur": 10}


def test_times_are_weighed_by_hand() -> None:
    """Every pass of the peer takes 2 seconds: 8 models at 21 levels are 336; the sweep takes 40."""
    lines = [
        sweep._line(model, *damage)
        for model in sweep._SINGLE_AND_ENSEMBLES
        for damage in sweep._weights()
    ]
    seconds = {**dict.fromkeys(lines, 2.0), "decoding": 2.0}
    seconds |= {"sweep, eager": 40.0, "floor, eager": 32.0}
    seconds |= {"sweep, compiled": 30.0, "floor, compiled": 31.0}
    eager, compiled = sweep._against_floors([seconds], ["eager", "compiled"])
    assert (eager.what, compiled.what) == ("sweep, eager", "sweep, compiled")
    assert eager.ratio == pytest.approx(40 / 32)
    assert compiled.ratio == pytest.approx(30 / 31)
    whole, as_noise = sweep._against_passes([seconds], ["eager"])
    assert whole.ratio == as_noise.ratio == pytest.approx(42 / 336)
    slow_blur = {line: 3.0 if "blur" in line else 2.0 for line in lines}
    whole, as_noise = sweep._against_passes([{**seconds, **slow_blur}], ["eager"])
    assert whole.ratio == pytest.approx(42 / (8 * (2 + 20 + 30)))
    assert as_noise.ratio == pytest.approx(42 / 336)
