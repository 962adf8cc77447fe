"""A pass as PyTorch's defaults do it, in a process of its own: our allocator cannot be undone."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_FORWARD = """
network = network.eval()
def run():
    with torch.inference_mode():
        network(images_BCHW)
"""
_TRAINING = """
network = network.train()
optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
def run():
    loss = torch.nn.functional.cross_entropy(network(images_BCHW), labels_B)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
_SERVER = """
import sys, torch
from mixqual.config import BackboneConfig
from mixqual.networks import build_classifier
backbone, classes, batch, side, threads = sys.argv[1], *map(int, sys.argv[2:])
torch.set_num_threads(threads)
network = build_classifier(BackboneConfig(name=backbone, weights="random"), classes, 0)
images_BCHW = 255 * torch.rand(batch, 3, side, side)
labels_B = torch.arange(batch) % classes
{body}
for _ in sys.stdin:
    run()
    print(flush=True)
"""


@final
class PlainProcess:
    """Runs a pass in the other process each time that it is called."""


def _server(body: str) -> str:
    return _SERVER.format(body=body)
