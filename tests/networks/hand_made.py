"""Small networks for tests of graphs and stages, written so that their cuts are plain to see."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mixqual.networks import Classifier, Preprocessing

PREPROCESSING = Preprocessing((0.4, 0.5, 0.6), (0.2, 0.3, 0.4), "bilinear")


def classifier(backbone: nn.Module) -> Classifier:
    return Classifier(backbone, PREPROCESSING).eval()


def photographs(count: int = 2, side: int = 16) -> Tensor:
    return 255 * torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(7))


class Skip(nn.Module):
    """Two convolutions beside a connection that skips them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.two = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.two(functional.relu(self.norm(self.one(x))))
        return x + y


class Skipping(nn.Module):
    """A convolution, three blocks with skips, two linear layers with dropout between them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.blocks = nn.Sequential(Skip(6), Skip(6), Skip(6))
        self.fc1 = nn.Linear(6, 8)
        self.drop = nn.Dropout(0.5)
        self.fc2 = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.norm(self.stem(x)))
        x = self.blocks(x).mean((2, 3))
        logits_BK: Tensor = self.fc2(self.drop(functional.relu(self.fc1(x))))
        return logits_BK


class Ladder(nn.Module):
    """Its first features go past every other layer, to the end."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, 4, 1)
        self.two = nn.Conv2d(3, 4, 1)
        self.head = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits_BK: Tensor = self.head(self.one(x).mean((2, 3))) + self.two(x).mean((2, 3))
        return logits_BK


class Deciding(nn.Module):
    """Goes one way for bright images and another for dark ones."""

    def __init__(self) -> None:
        super().__init__()
        self.bright, self.dark = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)
        self.head = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bright(x) if x.mean() > 0 else self.dark(x)
        logits_BK: Tensor = self.head(x.mean((2, 3)))
        return logits_BK
