"""What single neurons respond to: images made to raise one channel (paper, Figure 3).

The method is gradient ascent on the pixels (Erhan et al. 2009, "Visualizing higher-layer features
of a deep network"). Here U stands for units: channels at the end of a stage, an image for each.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from mixqual.distortions import distortion
from mixqual.errors import StudyError
from mixqual.networks import Classifier, Stages
from mixqual.progress import Advance, progress
from mixqual.seeding import derive_seed

FORMS = ("plain", "regularised")
OFF_GAIN = 0.01
"""A unit is off if no step raised it above its start by more than this share of it."""
FLOOR_SHARE = 0.01
"""A start that is closer to zero than this share of the stage's mean counts as that much."""

_MOST_UNITS = 32
"""Units in one batch. An image does not depend on the others: this only bounds the memory."""
_GREY, _SPREAD = 127.5, 10.0
"""The start: noise around the middle of the range, and its deviation in grey levels."""
_RATES = {"plain": 4.0, "regularised": 8.0}
"""The root mean square of a step over the pixels of an image, in grey levels."""
_JITTER = 4
"""The regularised form moves an image by up to this many pixels before each step."""
_BLUR = 0.5
"""It blurs an image by this deviation in pixels after each step."""


@final
@dataclass(frozen=True)
class Ascent:
    """How images are made; equal settings give equal images.

    "plain" is the paper's: each step adds the gradient, divided by its root mean square over the
    image and times 4 grey levels, and limits the pixels to 0...255. "regularised" takes twice as
    large steps, moves the image by some random pixels before each, and blurs it a little after
    each: what raises the unit at one place only, or by single pixels, does not last, and shapes
    remain that people can see.
    """

    form: str = "plain"
    steps: int = 128
    seed: int = 0
    """Of the start, which is the same for all units and networks, and of the moves."""

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise StudyError(f"form {self.form!r}: choose {' or '.join(FORMS)}")
        if self.steps < 1:
            raise StudyError(f"steps {self.steps}: an ascent takes at least 1 step")


@final
@dataclass(frozen=True)
class Responses:
    """Images for some units of a stage, and how strongly the units respond to them."""

    images_UCHW: Tensor
    """In 0...255, on the CPU, as are all."""
    start_U: Tensor
    """Activation under the start image: the mean of the channel over all positions."""
    end_U: Tensor
    """Activation under the images."""
    highest_U: Tensor
    """The highest activation on the way."""
    floor: float
    """What stands for a start that is closer to zero."""

    @property
    def ratio_U(self) -> Tensor:
        """How many times its start the activation became: end / start if that is positive.

        In general 1 + (end - start) / max(|start|, floor), which has a meaning for a start at zero
        or below it, too.
        """
        return 1 + self._gain(self.end_U)

    @property
    def off_U(self) -> Tensor:
        """Which units are turned off: no step raised them above their start."""
        return self._gain(self.highest_U) <= OFF_GAIN

    def _gain(self, values_U: Tensor) -> Tensor:
        return (values_U - self.start_U) / self.start_U.abs().clamp_min(self.floor)


def count_units(classifier: Classifier, backbone: str, stage: str, size: int) -> int:
    """How many units a stage ends in. Raises `BackboneError` like `respond`."""
    with _at_rest(classifier), torch.no_grad():
        head = Stages(classifier, backbone).until_end_of(stage)
        return _activations(head(_start(classifier, size, seed=0))).shape[1]


def respond(
    classifier: Classifier,
    backbone: str,
    stage: str,
    units: Sequence[int],
    size: int,
    ascent: Ascent,
    title: str = "neurons",
) -> Responses:
    """Make for each of these units a `size` x `size` image that raises it, from one noise image.

    A unit is a channel, and its activation the mean over all positions at the end of `stage`, which
    is named as in `[[sharing]]`. `backbone` is the network's name for messages, `title` that of the
    progress. The classifier is left as it is. Raises `BackboneError` if it cannot be cut or has no
    such stage, `StudyError` for a unit that is not there.
    """
    with _at_rest(classifier):
        head = Stages(classifier, backbone).until_end_of(stage)
        start_1CHW = _start(classifier, size, ascent.seed)
        with torch.no_grad():
            (start_C,) = _activations(head(start_1CHW))
        wrong = [unit for unit in units if not 0 <= unit < len(start_C)]
        if wrong:
            raise StudyError(
                f"{stage} of {backbone} has no unit {', '.join(map(str, wrong))}; "
                f"its units are 0 to {len(start_C) - 1}"
            )
        batches = [units[at : at + _MOST_UNITS] for at in range(0, len(units), _MOST_UNITS)]
        with progress(title, ascent.steps * len(batches), "steps") as advance:
            climbed = [_climb(head, start_1CHW, batch, ascent, advance) for batch in batches]
    images_UCHW, end_U, highest_U = (torch.cat(each).cpu() for each in zip(*climbed, strict=True))
    return Responses(
        images_UCHW,
        start_U=start_C[list(units)].cpu(),
        end_U=end_U,
        highest_U=highest_U,
        floor=max(FLOOR_SHARE * start_C.abs().mean().item(), _tiny(start_C)),
    )


def _climb(
    head: nn.Module, start_1CHW: Tensor, units: Sequence[int], ascent: Ascent, advance: Advance
) -> tuple[Tensor, Tensor, Tensor]:
    """Images, their activations, and the highest activations on the way, of one batch of units."""
    count, regularised = len(units), ascent.form == "regularised"
    rows_U, units_U = torch.arange(count), torch.tensor(units)
    blur, deviations_U = distortion("gaussian_blur"), torch.full((count,), _BLUR)
    moves = torch.Generator().manual_seed(derive_seed(ascent.seed, "neurons", "moves"))
    images_UCHW = start_1CHW.repeat(count, 1, 1, 1).contiguous(memory_format=torch.channels_last)
    highest_U = torch.full((count,), -torch.inf).to(start_1CHW)
    for _ in range(ascent.steps):
        move = (0, 0)
        if regularised:
            down, right = torch.randint(-_JITTER, _JITTER + 1, (2,), generator=moves).tolist()
            move = (down, right)
        moved_UCHW = images_UCHW.roll(move, (2, 3)).contiguous(memory_format=torch.channels_last)
        moved_UCHW.requires_grad_()
        activation_U = _activations(head(moved_UCHW))[rows_U, units_U]
        # Of the images alone: the weights get no gradients.
        (slope_UCHW,) = torch.autograd.grad(activation_U.sum(), moved_UCHW)
        size_U111 = slope_UCHW.square().mean((1, 2, 3), keepdim=True).sqrt()
        # Where nothing depends on the pixels, the image stays as it is.
        step_UCHW = _RATES[ascent.form] * slope_UCHW / size_U111.clamp_min(_tiny(size_U111))
        moved_UCHW = (moved_UCHW.detach() + step_UCHW).clamp(0, 255)
        images_UCHW = moved_UCHW.roll((-move[0], -move[1]), (2, 3))
        highest_U = torch.maximum(highest_U, activation_U.detach())
        if regularised:
            images_UCHW = blur(images_UCHW, deviations_U)
        advance(1)
    with torch.no_grad():
        end_U = _activations(head(images_UCHW))[rows_U, units_U]
    return images_UCHW, end_U, torch.maximum(highest_U, end_U)


def _activations(outputs: Tensor) -> Tensor:
    """The mean of each channel over all positions (B, channels), from what a stage gives."""
    if outputs.ndim == 2:
        return outputs
    # Images are square, so two equal sides in front of the channels are a map whose channels are
    # the last axis, as those of tokens are.
    last = outputs.ndim == 3 or outputs.shape[1] == outputs.shape[2] != outputs.shape[3]
    return outputs.flatten(1, -2).mean(1) if last else outputs.flatten(2).mean(2)


def _start(classifier: Classifier, size: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(derive_seed(seed, "neurons", "start"))
    noise_1CHW = torch.randn(1, 3, size, size, generator=generator)
    return (_GREY + _SPREAD * noise_1CHW).clamp(0, 255).to(classifier.mean)


def _tiny(values: Tensor) -> float:
    return torch.finfo(values.dtype).tiny


@contextmanager
def _at_rest(classifier: Classifier) -> Iterator[None]:
    """In inference mode, and with the same arithmetic in every call, until the block ends."""
    modes = [(module, module.training) for module in classifier.modules()]
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            classifier.eval()
            yield
    finally:
        for module, training in modes:
            module.training = training
