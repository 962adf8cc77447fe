"""The machine: device, threads, allocator. Set once at start, and reported in the provenance."""

import ctypes
import os
import platform
import re
import sys
from dataclasses import dataclass
from typing import TypeVar, final

import torch
from torch import nn

from mixqual.config import RuntimeConfig
from mixqual.errors import StudyError

# glibc's mallopt parameters (malloc.h): keep big blocks on the heap, and never trim it.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


Network = TypeVar("Network", bound=nn.Module)


@final
@dataclass(frozen=True)
class Machine:
    """What a run computes on."""

    device: torch.device
    threads: int
    allocator_tuned: bool


def set_up_machine(config: RuntimeConfig) -> Machine:
    """Apply the runtime settings to this process; raises `StudyError` for an unusable device."""
    device = _device(config.device)
    # Several processes on one machine share its cores (torchrun and accelerate set the variable).
    threads = config.threads or max(1, _cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    torch.set_num_threads(threads)
    return Machine(device, threads, config.tune_allocator and _keep_freed_memory())


def place(network: Network, device: torch.device) -> Network:
    """Move a network to a device, in the memory format that convolutions are fastest in."""
    return network.to(device).to(memory_format=torch.channels_last)


def describe_device(device: torch.device) -> str:
    """Name the device in words, such as "cpu: x86_64" or "cuda: NVIDIA H100"."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return f"{device.type}: {_cpu_name()}"


def check_device(name: str) -> None:
    """Raise `StudyError` for what is no device on any machine."""
    if not re.fullmatch("auto|cpu|cuda(:[0-9]{1,2})?", name):
        raise StudyError(f'runtime.device: {name!r} is not "auto", "cpu" or "cuda[:N]"')


def _device(name: str) -> torch.device:
    check_device(name)
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            raise StudyError(f"runtime.device: {name!r} is not there; CUDA devices found: {count}")
    return device


def _cores() -> int:
    """The cores that this process may use, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _keep_freed_memory() -> bool:
    """Let glibc reuse big blocks: returning them costs a page fault for each page, every time."""
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL("libc.so.6")
    settings = {
        _M_MMAP_THRESHOLD: 1 << 30,
        _M_TRIM_THRESHOLD: (1 << 31) - 1,
        _M_TOP_PAD: 64 << 20,
    }
    return all(libc.mallopt(parameter, value) == 1 for parameter, value in settings.items())


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
