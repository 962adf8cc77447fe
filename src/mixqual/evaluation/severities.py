"""Steps of damage that a benchmark fixes, such as ImageNet-C's severities 1 to 5."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from mixqual.distortions import Distortion
from mixqual.errors import InvalidLevelError


@final
class Severities(Distortion):
    """Applies another distortion, or other options of it, at each step; the level is the step.

    Steps are counted from 1; each is a distortion and its level. Raises `InvalidLevelError` for a
    level between two steps.
    """

    quantity = "severity"

    def __init__(self, name: str, steps: Sequence[tuple[Distortion, float]]) -> None:
        self.name = name
        self.steps = tuple(steps)
        self.unit = f"of {len(self.steps)}"
        self.worst_level = float(len(self.steps))
        self.random = any(kind.random for kind, _ in self.steps)

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        """Distort each image as its step says."""
        if bool((levels_B % 1 != 0).any()):
            raise InvalidLevelError(
                f"{self.name}: severities are whole numbers up to {len(self.steps)}, not "
                f"{levels_B.tolist()}"
            )
        result_BCHW = images_BCHW.clone()
        for step in levels_B.unique().int().tolist():  # type: ignore[no-untyped-call]
            chosen_B = levels_B == step
            kind, level = self.steps[step - 1]
            result_BCHW[chosen_B] = kind.apply(
                images_BCHW[chosen_B],
                torch.full((int(chosen_B.sum()),), level, dtype=torch.float64),
                seed=seed,
                keys_B=keys_B[chosen_B] if kind.random and keys_B is not None else None,
            )
        return result_BCHW
