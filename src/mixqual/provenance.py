"""Where numbers come from: version, commit, libraries, device, threads."""

import importlib.metadata
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from mixqual.runtime import Machine, describe_device

_LIBRARIES = ("torch", "torchvision", "timm", "accelerate", "numpy", "scipy", "zarr", "pillow")


def provenance(machine: Machine) -> dict[str, Any]:
    """What every committed number carries with it."""
    return {
        **maker(machine),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "threads": machine.threads,
        "allocator_tuned": machine.allocator_tuned,
    }


def maker(machine: Machine) -> dict[str, Any]:
    """What makes artifacts here, for each of them to carry: versions, commit and device."""
    return {
        "version": importlib.metadata.version("mixqual"),
        "commit": _commit(),
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        "device": describe_device(machine.device),
    }


@cache
def _commit() -> str | None:
    """The commit that this code stands at, with "+changes" if files differ from it."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        tracked = git("ls-files", "--error-unmatch", Path(__file__).name)
        changes = "+changes" if git("status", "--porcelain", "--", ".") else ""
        return git("rev-parse", "HEAD") + changes if tracked else None
    except (OSError, subprocess.CalledProcessError):
        return None  # installed from a package, or no git here
