"""Passes as PyTorch's defaults make them, in a process of their own: mallopt cannot be undone."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from mixqual.errors import RunError

FORWARD = """
network = network.eval()
def run():
    with torch.inference_mode():
        network(images_BCHW)
"""
"""A forward pass, for `plain_defaults`."""

TRAINING = """
network = network.train()
optimizer = torch.optim.SGD(network.parameters(), lr=0.001, momentum=0.9)
def run():
    loss = torch.nn.functional.cross_entropy(network(images_BCHW), labels_B)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
"""A training step, for `plain_defaults`."""

# One pass for each line of its input, and a line when it is done.
_BEFORE = """
import sys
import torch
from mixqual.config import BackboneConfig
from mixqual.networks import build_classifier
backbone, *numbers = sys.argv[1:]
classes, batch, side, threads = map(int, numbers)
torch.set_num_threads(threads)
network = build_classifier(BackboneConfig(name=backbone, weights="random"), classes, 0)
images_BCHW = 255 * torch.rand(batch, 3, side, side)
labels_B = torch.arange(batch) % classes
"""
_AFTER = """
for _ in sys.stdin:
    run()
    print(flush=True)
"""


@contextmanager
def plain_defaults(
    body: str, backbone: str, *, classes: int, batch: int, side: int
) -> Iterator[Callable[[], None]]:
    """A call that makes one pass in another process: contiguous tensors, untouched allocator.

    It has as many threads as this one. Raises `RunError` if that process ends.
    """
    numbers = (classes, batch, side, torch.get_num_threads())
    with other_process("-c", _BEFORE + body + _AFTER, backbone, *map(str, numbers)) as ask:
        yield lambda: ask("")


@contextmanager
def other_process(*arguments: str) -> Iterator[Callable[[str], None]]:
    """A call that has another Python do what a line says, and returns when that is done.

    The arguments are Python's. For each line of its input it writes one to its output. Raises
    `RunError` if it ends.
    """
    pipe = subprocess.PIPE
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, done = process.stdin, process.stdout

        def ask(line: str) -> None:
            asked.write(f"{line}\n")
            asked.flush()
            if not done.readline():
                raise RunError("the process with PyTorch's defaults has ended; see its error above")

        yield ask
