"""Conditional inference: of a mixture only the experts that count for an image run on it."""

import torch
from torch import Tensor

from mixqual.errors import MixqualError
from mixqual.networks.mixture import Mixture


def passing_weights(weights_BE: Tensor, tau: float) -> Tensor:
    """The weights that are at least `tau`, with a sum of one; all others are zero.

    The highest of an image always passes (all of them, if several are equal), and a weight of zero
    never does. Raises `MixqualError` for a `tau` outside 0...1.
    """
    if not 0 <= tau <= 1:
        raise MixqualError(f"tau = {tau}: a threshold of weights lies in 0...1")
    least_B1 = weights_BE.amax(1, keepdim=True).clamp(max=tau)
    kept_BE = weights_BE * (weights_BE >= least_B1)
    return kept_BE / kept_BE.sum(1, keepdim=True)


def conditional_forward(mixture: Mixture, images_BCHW: Tensor, tau: float) -> tuple[Tensor, Tensor]:
    """What a mixture says without the experts whose weights are below `tau`.

    Returns probabilities_BK and the `passing_weights` that mixed them, of float images_BCHW in
    0...255. With a `tau` of 0 it is the mixture. Raises `MixqualError` for a `tau` outside 0...1.
    """
    weights_BE = passing_weights(mixture.gate(images_BCHW), tau)
    return weighted_forward(mixture, images_BCHW, weights_BE), weights_BE


def weighted_forward(mixture: Mixture, images_BCHW: Tensor, weights_BE: Tensor) -> Tensor:
    """Probabilities_BK of a mixture under given weights, in the order of the images.

    Each expert runs once, on the images that give it a weight, or not at all; what the experts
    share runs once for every image. Each image gives at least one expert a weight.
    """
    features = mixture.prefix(images_BCHW)
    mixed_B: Tensor | None = None
    for expert, branch in enumerate(mixture.branches):
        chosen_B = weights_BE[:, expert].nonzero().squeeze(1)
        if len(chosen_B) == 0:
            continue
        outputs_B = branch(_copies(features, chosen_B))
        if mixture.suffix is None:
            outputs_B = outputs_B.softmax(-1)
        shape = (-1, *[1] * (outputs_B.dim() - 1))
        outputs_B = outputs_B * weights_BE[chosen_B, expert].view(shape)
        if mixed_B is None:
            mixed_B = outputs_B.new_zeros((len(images_BCHW), *outputs_B.shape[1:]))
        mixed_B.index_add_(0, chosen_B, outputs_B)
    assert mixed_B is not None, "every image has an expert"
    if mixture.suffix is None:
        return mixed_B
    logits_BK: Tensor = mixture.suffix(mixed_B)
    return logits_BK.softmax(1)


def _copies(features: Tensor, chosen_B: Tensor) -> Tensor:
    """Copies of some images' features, which a branch may change in place, in their memory format.

    Selecting whole rows of memory is several times faster than indexing.
    """
    if features.dim() == 4 and features.is_contiguous(memory_format=torch.channels_last):
        return features.permute(0, 2, 3, 1).index_select(0, chosen_B).permute(0, 3, 1, 2)
    return features.index_select(0, chosen_B)
