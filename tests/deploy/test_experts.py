"""What each expert says alone, against running it by hand."""

import pytest
import torch
from torch import Tensor, nn

from mixqual.deploy.experts import expert_probabilities
from mixqual.networks import Mixture


class Halves(nn.Module):
    """A gate that gives all experts the same weight."""

    def __init__(self, experts: int) -> None:
        super().__init__()
        self._experts = experts

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return torch.full((len(images_BCHW), self._experts), 1 / self._experts)


@pytest.mark.parametrize("shared", [False, True])
def test_each_is_what_it_would_be_without_the_others(shared: bool) -> None:
    torch.manual_seed(0)
    prefix = nn.Flatten()
    branches = [nn.Linear(48, 5 if shared else 3) for _ in range(4)]
    suffix = nn.Linear(5, 3) if shared else None
    mixture = Mixture(prefix, branches, suffix, Halves(4)).eval()
    images_BCHW = 255 * torch.rand(2, 3, 4, 4)
    with torch.inference_mode():
        found_EBK = expert_probabilities(mixture, images_BCHW)
        for branch, found_BK in zip(branches, found_EBK, strict=True):
            features = branch(images_BCHW.flatten(1))
            logits_BK = suffix(features) if suffix else features
            torch.testing.assert_close(found_BK, logits_BK.softmax(1))
        if not shared:
            torch.testing.assert_close(found_EBK.mean(0), mixture(images_BCHW)[0])
