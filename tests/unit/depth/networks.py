"""Small networks that use their activations in every way there is."""

import torch
from torch import nn
from torch.nn import functional as F

from sentei.models import Architecture, build


def known(name: str, input_shape: tuple[int, ...] = (3, 32, 32)) -> nn.Module:
    """A network of `sentei.models`, in eval mode."""
    return build(Architecture(name=name, input_shape=input_shape, n_classes=10), seed=0).eval()


class Functions(nn.Module):
    """Activations as functions, as methods, in place, and with arguments; and one module called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.act = nn.PReLU(6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.fc1(x))
        x = F.leaky_relu(self.fc2(x), 0.2)
        x = self.act(self.fc2(x))
        x = torch.relu(self.fc2(x)) + F.gelu(input=self.fc1(x[:, :4]), approximate="tanh")
        return self.fc3(x.relu_())


class Dropping(nn.Module):
    """Its forward is another one in training."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(F.relu(self.fc(x)), training=self.training)


class Branching(nn.Module):
    """Its forward depends on values."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.fc(x)) if x.sum() > 100 else F.gelu(self.fc(x))


class Tokens(nn.Module):
    """Sequences of features."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.fc1, self.act, self.fc2 = nn.LayerNorm(4), nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.act(self.fc1(self.norm(x)))).mean(1)
