"""That other libraries do the same work: on random photographs, the same pixels."""

import numpy as np
import pytest
import torch
from torch import Tensor

from mixqual.bench import peers as found_peers
from mixqual.bench.peers import missing_peers, peers
from mixqual.bench.peers.registry import width_of
from mixqual.distortions import distortion
from mixqual.distortions.fractal_field import fractal_fields

# By library, the largest difference in grey levels; the other peers differ in their random numbers,
# or do something that is only alike.
SAME = [
    ("gaussian_blur", "scipy", 1e-3),
    ("gaussian_blur", "opencv", 0.1),
    ("defocus_blur", "opencv", 1e-2),
    ("brightness", "numpy", 1e-4),
    ("brightness", "opencv", 1e-4),
    ("contrast", "numpy", 1e-2),
    ("contrast", "opencv", 1e-2),
    ("desaturation", "opencv", 1e-2),
    ("oversaturation", "opencv", 1e-2),
    ("exposure", "numpy", 1e-2),
    ("zoom_blur", "opencv", 4.0),  # which interpolates with 5 bits
]
LEVELS = {
    "gaussian_blur": (0.9, 2.0, 4.0),
    "defocus_blur": (1.2, 3.0, 6.5),
    "brightness": (5.0, 40.0, 120.0),
    "contrast": (0.1, 0.5, 0.9),
    "desaturation": (0.0, 0.5, 0.9),
    "oversaturation": (1.5, 3.0, 8.0),
    "exposure": (0.2, 1.0, 2.5),
    "zoom_blur": (0.05, 0.1, 0.3),
}


def photographs() -> Tensor:
    keys_B = torch.arange(3)
    fields = [fractal_fields(seed, keys_B, 64, 64, exponent=2.0) for seed in range(3)]
    return (128 + 50 * torch.stack(fields, 1)).clamp_(0, 255)


@pytest.mark.parametrize(("name", "library", "tolerance"), SAME)
def test_a_peer_does_the_same(name: str, library: str, tolerance: float) -> None:
    images_BCHW = photographs().contiguous(memory_format=torch.channels_last)
    levels_B = torch.tensor(LEVELS[name], dtype=torch.float64)
    runs = {label.split()[0]: run for label, run in peers(name, images_BCHW, levels_B)}
    if library in missing_peers():
        assert library not in runs
        return
    theirs_BHWC = np.asarray(runs[library]())
    ours_BHWC = distortion(name)(images_BCHW, levels_B).permute(0, 2, 3, 1).numpy()
    assert np.abs(theirs_BHWC - ours_BHWC).max() <= tolerance
    assert np.abs(ours_BHWC - images_BCHW.permute(0, 2, 3, 1).numpy()).max() > 1


def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found_peers, "_OPTIONAL", {"opencv": "cv2", "gone": "no_such_module"})
    assert missing_peers()[-1] == "gone"


def test_widths_are_odd() -> None:
    assert [width_of(reach) for reach in (0.0, 0.4, 0.5, 1.0, 39.6)] == [1, 1, 3, 3, 81]
