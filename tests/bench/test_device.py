"""The benchmark of the device, on sizes so small that its ratios mean nothing."""

import pytest

from mixqual.bench import device

pytestmark = pytest.mark.slow


def test_training_and_sweeps_are_measured_against_the_bare_network_and_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device, "_BACKBONE", "timm/test_efficientnet")
    for name, value in (("_SIDE", 32), ("_CLASSES", 4), ("_TRAINED", 4), ("_SWEPT", 4)):
        monkeypatch.setattr(device, name, value)
    for name, value in (("_BATCHES", 2), ("_REPETITIONS", 2), ("_PRODUCT", 64)):
        monkeypatch.setattr(device, name, value)
    found = device.measure()
    floor, bound = "floor: the same on tensors that are ready", "bound: its operations at the rate"
    trained = {(ratio.what, ratio.against) for ratio in found[:5]}
    assert trained == {
        *((f"training, {precision}", floor) for precision in ("float32", "bfloat16")),
        *((f"training, {precision}", device._BOUND) for precision in ("float32", "bfloat16")),
        ("training, bfloat16", "float32"),
    }
    assert device._BOUND.startswith(bound)
    assert {(ratio.what, ratio.against) for ratio in found[6:]} == {
        (f"sweep of {kind} by {networks}", floor)
        for kind in ("clean", "gaussian_noise", "gaussian_blur")
        for networks in ("one network", "3 networks")
    }
    assert all(ratio.ratio > 0 and ratio.repetitions == 2 for ratio in found)
