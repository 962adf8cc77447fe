"""A bundle of networks that have learned nothing: as fast and as large as one that has."""

from pathlib import Path

from mixqual.config import BackboneConfig
from mixqual.deploy import Manifest
from mixqual.deploy.assembly import mixture_tensors
from mixqual.deploy.bundle import write_bundle
from mixqual.deploy.manifest import Grid, Trust
from mixqual.networks import Gate, build_classifier

_EXPERTS = ("clean", "noise", "blur")
_CLASSES = ("a", "b", "c", "d")
_WEIGHTS = ((1.0, 0.0, 0.0), (0.2, 0.4, 0.4))


def write_random_bundle(path: Path, backbone: str, size: int) -> Path:
    """Write a mixture of three experts for noise and blur, four classes, `size` pixels."""
    config = BackboneConfig(name=backbone, weights="random")
    networks = {
        name: build_classifier(config, len(_CLASSES), seed) for seed, name in enumerate(_EXPERTS)
    }
    preprocessing = networks["clean"].preprocessing
    manifest = Manifest.model_validate(
        {
            "name": "random",
            "model": "mix",
            "version": "0",
            "commit": None,
            "seed": 0,
            "classes": _CLASSES,
            "experts": _EXPERTS,
            "clean": "clean",
            "backbone": backbone,
            "size": size,
            "interpolation": preprocessing.interpolation,
            "mean": preprocessing.mean,
            "std": preprocessing.std,
            "until": None,
            "from": None,
            "gate": "paper",
            "threshold": None,
            "distortions": {
                name: Grid(unit=unit, quantity="σ", levels=(0.0, level), weights=_WEIGHTS)
                for name, unit, level in (
                    ("gaussian_noise", "grey levels", 100.0),
                    ("gaussian_blur", "pixels", 10.0 * size / 224),
                )
            },
            "trust": Trust(temperature=1.5, usable=0.9, retake=0.2, rule="none", errors={}),
            "auc": {},
        }
    )
    gate = Gate(len(_EXPERTS), preprocessing)
    states = {name: network.state_dict() for name, network in networks.items()}
    write_bundle(path, manifest, mixture_tensors(states, gate.state_dict(), None))
    return path
