"""Levels to try of every distortion, from mild to strong."""

from mixqual.distortions import Distortion, distortion

LEVELS: dict[str, tuple[float, float, float]] = {
    "brightness": (15.0, 50.0, 120.0),
    "contrast": (0.8, 0.4, 0.1),
    "defocus_blur": (1.0, 3.0, 8.0),
    "desaturation": (0.8, 0.4, 0.0),
    "downsampling": (1.5, 3.0, 8.0),
    "elastic": (1.0, 3.0, 8.0),
    "exposure": (0.3, 1.0, 2.5),
    "fog": (0.2, 0.7, 2.0),
    "frost": (0.2, 0.5, 0.9),
    "gaussian_blur": (0.7, 2.0, 5.0),
    "gaussian_noise": (5.0, 20.0, 60.0),
    "glass_blur": (1.0, 2.0, 4.0),
    "impulse_noise": (0.02, 0.1, 0.4),
    "jpeg": (70.0, 25.0, 5.0),
    "low_light": (1.0, 3.0, 6.0),
    "motion_blur": (3.0, 8.0, 20.0),
    "oversaturation": (1.5, 3.0, 10.0),
    "shot_noise": (5.0, 20.0, 60.0),
    "snow": (0.1, 0.3, 0.7),
    "spatter": (0.1, 0.3, 0.7),
    "speckle_noise": (0.05, 0.2, 0.6),
    "zoom_blur": (0.05, 0.15, 0.4),
}


def towards_worst(kind: Distortion, levels: tuple[float, ...]) -> None:
    """Check that the levels leave the clean one in the direction of the worst."""
    sign = 1 if kind.worst_level > kind.clean_level else -1
    steps = [sign * (b - a) for a, b in zip((kind.clean_level, *levels), levels, strict=False)]
    assert all(step > 0 for step in steps)


def sample_levels(name: str) -> tuple[float, float, float]:
    levels = LEVELS[name]
    towards_worst(distortion(name), levels)
    return levels
