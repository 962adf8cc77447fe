"""Fields of random numbers for a batch: one for each image, from the seed and its key alone.

They are drawn on the CPU wherever the images are, so that every device sees the same pixels. The
cost is that of the draws, which PyTorch makes several at a time, in as many threads as it has:
each image has a generator of its own, so that its numbers do not depend on who draws them.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from mixqual.distortions.keyed import generators

# Numbers below which handing them to threads takes longer than drawing them (0.3 ms).
_FEW = 100_000
# In grey levels: rejection would magnify the difference into another count.
_ROUNDING = 1e-3


def normal_fields(images_BCHW: Tensor, keys_B: Tensor, *, seed: int, gray: bool = False) -> Tensor:
    """Return standard normal numbers, float32, in the shape of the images and on their device.

    With `gray` there is one channel, for all of the image's.
    """
    return _drawn(images_BCHW, keys_B, seed, gray, Tensor.normal_)


def uniform_fields(images_BCHW: Tensor, keys_B: Tensor, *, seed: int, gray: bool = False) -> Tensor:
    """Return uniform numbers of [0, 1), multiples of 2^-24, as `normal_fields` has them."""
    return _drawn(images_BCHW, keys_B, seed, gray, Tensor.uniform_)


def channel_by_channel(draw: Callable[[Tensor], Tensor], images_BCHW: Tensor) -> Tensor:
    """Have channels drawn one at a time, each from the same random numbers as the others.

    For what is no field that is added, such as counts: equal channels stay equal, and each has the
    law that it has alone. `draw` is given (B, 1, H, W), and always begins with the same numbers.
    Channels are equal up to rounding, which what was done before may have left in them.
    """
    first_B1HW, *others = torch.split(images_BCHW, 1, dim=1)
    equal_B = (images_BCHW - first_B1HW).abs().amax((1, 2, 3)) <= _ROUNDING
    drawn_B1HW = draw(first_B1HW)
    if bool(equal_B.all()):
        return drawn_B1HW.expand_as(images_BCHW)
    drawn_BCHW = torch.cat([drawn_B1HW, *map(draw, others)], dim=1)
    return torch.where(equal_B.to(drawn_BCHW.device)[:, None, None, None], drawn_B1HW, drawn_BCHW)


def _drawn(
    images_BCHW: Tensor, keys_B: Tensor, seed: int, gray: bool, fill: Callable[..., Tensor]
) -> Tensor:
    """Fill each image's field from its own generator, some images in each thread."""
    batch, channels, height, width = images_BCHW.shape
    shape = batch, 1 if gray else channels, height, width
    # Pinned, it is on a GPU four times sooner.
    fields_BCHW = torch.empty(shape, pin_memory=images_BCHW.is_cuda)
    keys_B = keys_B.cpu()
    inference = torch.is_inference_mode_enabled()  # which each thread has to be told

    def draw(part: slice) -> None:
        with torch.inference_mode(inference):
            drawing = generators(seed, keys_B[part])
            for field_CHW, generator in zip(fields_BCHW[part], drawing, strict=True):
                fill(field_CHW, generator=generator)

    threads = min(torch.get_num_threads(), batch) if fields_BCHW.numel() >= _FEW else 1
    cuts = [batch * number // threads for number in range(threads + 1)]
    own, *others = (slice(*ends) for ends in pairwise(cuts))
    waiting = [_pool(threads, os.getpid()).submit(draw, part) for part in others]
    draw(own)
    for each in waiting:
        each.result()
    return fields_BCHW.to(images_BCHW.device, non_blocking=True)


@lru_cache(maxsize=1)
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Threads that draw side by side: PyTorch holds no lock of Python meanwhile.

    They are of one process: another that is forked from it finds none of them.
    """
    return ThreadPoolExecutor(threads - 1, thread_name_prefix=f"draws of {process}")
