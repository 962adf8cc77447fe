"""The mixture of experts (paper, Eq. 3 and Section 4): a gate, shared stages, one branch each."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, final

import torch
from torch import Tensor, nn

from mixqual.networks.sharing import Parts


@final
class Mixture(nn.Module):
    """Experts under one gate; what they share is stored once and runs once for each image.

    Without a suffix the experts' probabilities are mixed. With one, it is the features that they
    would each give to the suffix: as the weights sum to one, that is to mix the pre-activations of
    its first layer (paper, Section 4).
    """

    def __init__(
        self,
        prefix: nn.Module,
        branches: Sequence[nn.Module],
        suffix: nn.Module | None,
        gate: nn.Module,
    ) -> None:
        super().__init__()
        self.prefix = prefix
        self.branches = nn.ModuleList(branches)
        self.suffix = suffix
        self.gate = gate

    @staticmethod
    def independent(experts: Sequence[nn.Module], gate: nn.Module) -> "Mixture":
        """M_mix: whole networks from images to logits, which share nothing."""
        return Mixture(nn.Identity(), experts, None, gate)

    @staticmethod
    def shared(
        parts: Parts, branches: Sequence[Mapping[str, Tensor] | None], gate: nn.Module
    ) -> "Mixture":
        """The parts of M_clean with one branch for each state dict; None is M_clean's own branch.

        Raises `RuntimeError` for a state dict of another branch.
        """
        networks = []
        for state in branches:
            network = parts.branch if state is None else copy.deepcopy(parts.branch)
            if state is not None:
                network.load_state_dict(state)
            networks.append(network)
        return Mixture(parts.prefix, networks, parts.suffix, gate)

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities_BK and weights_BE of float images_BCHW in 0...255."""
        weights_BE = self.gate(images_BCHW)
        return self.fuse(self.branch_outputs(images_BCHW), weights_BE), weights_BE

    def branch_outputs(self, images_BCHW: Tensor) -> Tensor:
        """What each branch makes of the images, before they are mixed: (E, B, ...).

        Probabilities (E, B, K) without a suffix, otherwise features.
        """
        features = self.prefix(images_BCHW)
        outputs_EB = torch.stack([branch(features.clone()) for branch in self.branches])
        return outputs_EB.softmax(-1) if self.suffix is None else outputs_EB

    def fuse(self, outputs_EB: Tensor, weights_BE: Tensor) -> Tensor:
        """Return probabilities_BK of what `branch_outputs` made, under any weights."""
        mixed_B = torch.einsum("be,eb...->b...", weights_BE, outputs_EB)
        if self.suffix is None:
            return mixed_B
        logits_BK: Tensor = self.suffix(mixed_B)
        return logits_BK.softmax(1)


@final
class BranchedClassifier(nn.Module):
    """One branch between the frozen shared stages of M_clean: images in, logits out, for training.

    The shared stages are not its own: they are neither in its `parameters` nor in its
    `state_dict`, run as in inference (batch norms keep their statistics, nothing is dropped), and
    what comes before the branch runs without autograd.
    """

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.branch = parts.branch
        shared = [part for part in (parts.prefix, parts.suffix) if part is not None]
        for part in shared:
            part.requires_grad_(False).eval()
        self._parts = parts  # no module, so that it is not registered

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Return logits_BK of float images_BCHW in 0...255."""
        with torch.no_grad():
            features = self._parts.prefix(images_BCHW)
        outputs: Tensor = self.branch(features)
        return outputs if self._parts.suffix is None else self._parts.suffix(outputs)

    def after(self, prefix: nn.Module) -> "BranchedClassifier":
        """The same network behind other first stages, which must do the same."""
        return BranchedClassifier(replace(self._parts, prefix=prefix)).train(self.training)

    def new_parameters(self) -> list[nn.Parameter]:
        """The parameters of a new head, where it belongs to the branch."""
        own = {id(parameter) for parameter in self.branch.parameters()}
        return [parameter for parameter in self._parts.new if id(parameter) in own]

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        """Take the shared stages along to another device or memory format."""
        for part in (self._parts.prefix, self._parts.suffix):
            if part is not None:
                part._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call, no-any-return]
