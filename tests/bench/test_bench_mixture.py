"""That the experts that run are as many as a row says, and that a decided gate divides a batch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mixqual.bench import mixture
from mixqual.bench.pictures import fractal_pictures
from mixqual.config import BackboneConfig
from mixqual.networks import Gate, Preprocessing, passing_weights

PREPROCESSING = Preprocessing((0.5,) * 3, (0.25,) * 3, "bilinear")


@pytest.mark.parametrize("kind", ["paper", "patch"])
def test_a_decided_gate_has_a_favourite_for_each_image_and_all_experts_are_one(kind: str) -> None:
    gate, images_BCHW = Gate(3, PREPROCESSING, kind=kind), fractal_pictures(32, 48)
    with torch.inference_mode():
        before_BE = gate(images_BCHW)
    mixture.decide(gate, images_BCHW)
    with torch.inference_mode():
        after_BE = gate(images_BCHW)
    scores_BE = after_BE.log() - after_BE.log().mean(1, keepdim=True)
    torch.testing.assert_close(scores_BE.mean(0), torch.zeros(3), rtol=0, atol=1e-2)
    assert scores_BE.std().item() == pytest.approx(3, rel=1e-2)
    assert set(after_BE.argmax(1).tolist()) == {0, 1, 2}
    assert after_BE.amax(1).mean() > before_BE.amax(1).mean()


@settings(max_examples=60, deadline=None)
@given(images=st.integers(1, 24), experts=st.integers(2, 5), seed=st.integers(0, 10**6))
def test_so_many_experts_pass_the_threshold(images: int, experts: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weights_BE = torch.rand((images, experts), generator=generator, dtype=torch.float64)
    weights_BE /= weights_BE.sum(1, keepdim=True)
    for passing in range(images, images * experts + 1):
        tau = mixture.threshold(weights_BE, passing / images)
        assert int((passing_weights(weights_BE, tau) > 0).sum()) == passing


def test_it_says_what_is_set_against_what(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = BackboneConfig(name="timm/test_efficientnet", weights="random")
    for name, value in (("_SIDE", 32), ("_BATCH", 8), ("_REPETITIONS", 2), ("_CONFIG", tiny)):
        monkeypatch.setattr(mixture, name, value)
    found = mixture.measure()
    for kind in ("paper", "patch"):
        own = [row for row in found if f"{kind} gate" in row.what]
        assert own[0].what == f"M_mix whole, {kind} gate"
        means = [row.what.split(", ")[2] for row in own[1:] if row.against == "one network"]
        assert means == [f"{mean} experts an image" for mean in ("1.00", "1.25", "2.00", "3.00")]
        floors = [row for row in own if row.against.startswith("floor: ")]
        assert [row.what.split(", ")[2].split()[0] for row in floors] == [
            row.against.split(", ")[1].split()[1] for row in floors
        ]
    for row in found:
        assert 0 < row.low <= row.ratio <= row.high
        assert "eager with folded batch norms, at 32 pixels, batch 8" in row.settings
