"""What the experts of a mixture say each by itself, as if there were no other."""

import torch
from torch import Tensor

from mixqual.networks import Mixture


def expert_probabilities(mixture: Mixture, images_BCHW: Tensor) -> Tensor:
    """Probabilities (E, B, K) of float images in 0...255.

    Behind a shared suffix an expert's answer is that of the mixture under the weight 1 for it.
    """
    outputs_EB = mixture.branch_outputs(images_BCHW)
    if mixture.suffix is None:
        return outputs_EB
    count = len(outputs_EB)
    alone_EE = torch.eye(count, device=images_BCHW.device)
    weights_EBE = alone_EE[:, None].expand(-1, len(images_BCHW), -1)
    return torch.stack([mixture.fuse(outputs_EB, weights_BE) for weights_BE in weights_EBE])
