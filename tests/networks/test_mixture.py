import torch
from small_elpv import cell_set

from mixqual.config import BackboneConfig
from mixqual.evaluation import count
from mixqual.networks import Gate, Mixture, backbone_preprocessing, build_classifier

TINY = BackboneConfig(name="timm/test_efficientnet", weights="random")


def test_equals_the_weighted_sum_computed_by_hand() -> None:
    experts = [build_classifier(TINY, 4, seed).eval() for seed in range(3)]
    gate = Gate(3, backbone_preprocessing(TINY), seed=5).eval()
    images_BCHW, _ = cell_set(2).batch(range(6))
    with torch.inference_mode():
        p_BK, w_BE = Mixture(experts, gate).eval()(images_BCHW)
        expected_BE = gate(images_BCHW)
        expected_BK = torch.zeros(6, 4)
        for index, expert in enumerate(experts):
            logits_BK = expert(images_BCHW)
            own_BK = logits_BK.exp() / logits_BK.exp().sum(1, keepdim=True)
            expected_BK += expected_BE[:, index : index + 1] * own_BK
    torch.testing.assert_close(w_BE, expected_BE)
    torch.testing.assert_close(p_BK, expected_BK)
    torch.testing.assert_close(p_BK.sum(1), torch.ones(6))


def test_costs_its_experts_and_its_gate() -> None:
    experts = [build_classifier(TINY, 4, seed) for seed in range(3)]
    gate = Gate(3, backbone_preprocessing(TINY))
    one, gating, whole = count(experts[0], 32), count(gate, 32), count(Mixture(experts, gate), 32)
    assert whole.params == 3 * one.params + 98_531
    assert gating.params == 98_531
    assert whole.macs == 3 * one.macs + gating.macs
