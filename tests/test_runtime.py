import platform

import pytest
import torch
from torch import nn

from mixqual.config import RuntimeConfig
from mixqual.errors import StudyError
from mixqual.runtime import describe_device, place, set_up_machine


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_are_set(threads: int) -> None:
    machine = set_up_machine(RuntimeConfig(threads=threads, device="cpu"))
    assert machine.threads == threads == torch.get_num_threads()
    assert machine.device == torch.device("cpu")


def test_threads_are_those_the_process_may_use_by_default() -> None:
    import os

    machine = set_up_machine(RuntimeConfig(device="cpu"))
    assert machine.threads == torch.get_num_threads() == len(os.sched_getaffinity(0))


def test_the_allocator_is_left_alone_on_request() -> None:
    assert not set_up_machine(RuntimeConfig(tune_allocator=False)).allocator_tuned
    tuned = set_up_machine(RuntimeConfig()).allocator_tuned
    assert tuned == (platform.libc_ver()[0] == "glibc")


@pytest.mark.parametrize("device", ["gpu", "meta", "cuda:99", "cpu:x", "", "cuda:-1"])
def test_unusable_devices_are_refused(device: str) -> None:
    with pytest.raises(StudyError, match=r"runtime\.device: '.*' is not"):
        set_up_machine(RuntimeConfig(device=device))


def test_auto_takes_a_gpu_only_where_there_is_one() -> None:
    found = set_up_machine(RuntimeConfig()).device.type
    assert found == ("cuda" if torch.cuda.is_available() else "cpu")


def test_placed_networks_compute_the_same() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
    images_BCHW = torch.rand((2, 3, 9, 9), generator=torch.Generator().manual_seed(0))
    before = network(images_BCHW).detach()
    placed = place(network, torch.device("cpu"))
    assert placed is network
    weight = network[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(placed(images_BCHW).detach(), before)


def test_the_device_is_described_in_words() -> None:
    words = describe_device(torch.device("cpu"))
    assert words.startswith("cpu: ")
    assert len(words) > len("cpu: ")
