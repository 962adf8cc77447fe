"""Low light: a scene that is several stops darker, as a sensor with noise of its own records it.

Reference for the sensor: the linear camera model of EMVA 1288 (photon noise and read noise, a full
well), without dark current and with one electron a photon. Most of the time goes into drawing
photons (see `shot_noise`) and into the power of the transfer curve.
"""

from functools import partial
from typing import final

import torch
from torch import Tensor

from mixqual.distortions.base import Distortion, register
from mixqual.distortions.keyed import generators
from mixqual.distortions.noise_fields import channel_by_channel
from mixqual.distortions.options import check_number, check_switch
from mixqual.distortions.srgb import to_linear, to_srgb
from mixqual.errors import DistortionError

# With less, a dark scene that is amplified ends as black and not as noise: its damage would fall.
_LEAST_READ_NOISE_WITH_GAIN = 0.25


@final
@register
class LowLight(Distortion):
    """Takes `level` stops of light away and records what is left; a stop halves the light.

    Grey levels become linear light by the curve of sRGB, the light falls by 2^-level, and the
    sensor records electrons: white before the loss would fill its well. Their number varies by the
    law of Poisson, reading adds normal noise, and the sum is limited to the well and turned back
    into grey levels in 0...255, not rounded.

    The sensor has its noise at any level: between level 0, which changes nothing, and the smallest
    level above it lies a jump (of about a grey level with the defaults). Towards 20 stops nothing
    of the image is left, and the damage hardly grows any more. An image that is nearly black from
    the start can only lose so much: where its own light is below the noise, more loss of it may
    reduce the noise.

    Options: `full_well`, the electrons of white, 100...1e9; `read_noise`, the deviation of reading,
    in electrons, 0...full_well / 10; `gain`, to amplify by 2^level after reading, so that the image
    is as bright as before, limited to white, and noise takes over (needs a `read_noise` of 0.25 or
    more, as every sensor has); `gray`, to record all channels by the same random numbers, so that
    equal ones stay equal, as a monochrome sensor has but one. By default the image stays dark, and
    channels are independent.
    """

    name = "low_light"
    unit = "stops"
    worst_level = 20.0
    quantity = "light lost"
    random = True

    def __init__(
        self,
        full_well: float = 10_000.0,
        read_noise: float = 5.0,
        gain: bool = False,
        gray: bool = False,
    ) -> None:
        check_number(self.name, "full_well", full_well, 100, 1e9)
        check_number(self.name, "read_noise", read_noise, 0, full_well / 10)
        check_switch(self.name, "gain", gain)
        check_switch(self.name, "gray", gray)
        if gain and read_noise < _LEAST_READ_NOISE_WITH_GAIN:
            raise DistortionError(
                f"{self.name}: with gain, read_noise is at least {_LEAST_READ_NOISE_WITH_GAIN:g}, "
                f"not {read_noise!r}"
            )
        self.full_well = float(full_well)
        self.read_noise = float(read_noise)
        self.gain = gain
        self.gray: bool = gray

    def apply(
        self, images_BCHW: Tensor, levels_B: Tensor, *, seed: int, keys_B: Tensor | None
    ) -> Tensor:
        assert keys_B is not None
        record = partial(self._recorded, levels_B=levels_B, seed=seed, keys_B=keys_B)
        recorded_BCHW = (
            channel_by_channel(record, images_BCHW) if self.gray else record(images_BCHW)
        )
        return torch.empty_like(images_BCHW).copy_(recorded_BCHW)

    def _recorded(self, images_BCHW: Tensor, levels_B: Tensor, seed: int, keys_B: Tensor) -> Tensor:
        white_B111 = self.full_well * torch.exp2(-levels_B)[:, None, None, None]
        # In double precision, on the CPU and in one order of pixels: see `shot_noise`.
        light_BCHW = to_linear(images_BCHW.to("cpu", torch.float64).contiguous())
        electrons_BCHW = light_BCHW.mul_(white_B111)
        for electrons_CHW, generator in zip(electrons_BCHW, generators(seed, keys_B), strict=True):
            # Reading comes first, as its field is then the same at every level.
            reading_CHW = torch.empty_like(electrons_CHW).normal_(generator=generator)
            photons_CHW = torch.poisson(electrons_CHW, generator=generator)
            torch.add(photons_CHW, reading_CHW, alpha=self.read_noise, out=electrons_CHW)
        recorded_BCHW = electrons_BCHW.div_(white_B111 if self.gain else self.full_well)
        return to_srgb(recorded_BCHW.to(images_BCHW.dtype))
