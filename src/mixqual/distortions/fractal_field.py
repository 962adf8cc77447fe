"""Random fields that look alike at every scale, as clouds, haze and frost do.

White noise is given a falling spectrum by one Fourier transform there and back: O(N log N), with no
loop over octaves. One field at a time stays in the cache, and its digits cannot depend on the
batch.
"""

import torch
from torch import Tensor

from mixqual.distortions.keyed import generators


def fractal_fields(seed: int, keys_B: Tensor, height: int, width: int, exponent: float) -> Tensor:
    """Return random fields (B, height, width), float32 on the CPU, of mean 0 and deviation 1.

    Their power falls with the frequency f as 1 / f^exponent: 0 is white noise, and the larger the
    exponent, the smoother the field. It goes on at the opposite border where it leaves the image.
    It depends on seed, key and size alone: a caller that needs several fields of one image derives
    a seed for each. A single pixel has the field 0.
    """
    down_H1 = torch.fft.fftfreq(height)[:, None]
    across_F = torch.fft.rfftfreq(width)  # F: the frequencies of a row
    frequencies_HF = torch.hypot(down_H1, across_F)
    frequencies_HF[0, 0] = torch.inf
    # Relative to the lowest frequency, so that no exponent overflows.
    amplitudes_HF = (frequencies_HF / frequencies_HF.min()).pow_(-exponent / 2)
    amplitudes_HF[0, 0] = 0.0  # no constant part, hence mean 0
    fields_BHW = torch.empty((len(keys_B), height, width))
    for field_HW, generator in zip(fields_BHW, generators(seed, keys_B), strict=True):
        spectrum_HF = torch.fft.rfft2(field_HW.normal_(generator=generator))
        smooth_HW = torch.fft.irfft2(spectrum_HF.mul_(amplitudes_HF), s=(height, width))
        torch.div(smooth_HW, smooth_HW.std(correction=0).clamp_min(1e-30), out=field_HW)
    return fields_BHW
