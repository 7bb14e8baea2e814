"""The report's four networks in PyTorch, as it prints them: what tfseq is measured against."""

import torch
from torch import nn


class _Trim(nn.Module):
    """Cuts the trailing axes to a size."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self._sizes = sizes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[(..., *(slice(size) for size in self._sizes))]


class MLP10(nn.Module):
    """Model 1."""

    def __init__(self, hidden_units=(8000, 6000, 4000), dropout=(0.3, 0.4, 0.6)) -> None:
        super().__init__()
        modules: list[nn.Module] = [nn.Flatten()]
        width = 16000
        for units, rate in zip(hidden_units, dropout, strict=True):
            modules += [nn.Linear(width, units), nn.Dropout(rate), nn.ReLU()]
            width = units
        self.my_network = nn.Sequential(*modules, nn.Linear(width, 4000))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.my_network(x)


def _cnn_modules(dropout: float) -> list[nn.Module]:
    return [
        nn.Conv2d(1, 2, 3, padding="same"),
        nn.Dropout2d(dropout),
        nn.ReLU(inplace=True),
        nn.BatchNorm2d(2),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(2, 3, 3, padding="same"),
        nn.Dropout2d(dropout),
        nn.ReLU(inplace=True),
        nn.BatchNorm2d(3),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(3, 4, 3, padding="same"),
        nn.ReLU(inplace=True),
        nn.Flatten(),
    ]


class CNN1(nn.Module):
    """Model 2."""

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        self.features = nn.Sequential(*_cnn_modules(dropout))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.features(x[:, None])


class CONVAE(nn.Module):
    """Model 3."""

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.LeakyReLU(0.01),
            nn.Conv2d(4, 6, 3, stride=2, padding=1),
            nn.LeakyReLU(0.01),
            nn.Conv2d(6, 6, 3, stride=2, padding=1),
            nn.LeakyReLU(0.01),
            nn.Conv2d(6, 8, 3, padding=1),
            nn.Flatten(),
            nn.Linear(8000, 64),
        )
        self.decoder = nn.Sequential(
            nn.Linear(64, 8000),
            nn.Unflatten(1, (8, 1, 1000)),
            nn.ConvTranspose2d(8, 6, 3, padding=1),
            nn.LeakyReLU(0.01),
            nn.ConvTranspose2d(6, 6, 3, stride=2, padding=1),
            nn.LeakyReLU(0.01),
            nn.ConvTranspose2d(6, 4, 3, stride=2),
            nn.LeakyReLU(0.01),
            nn.ConvTranspose2d(4, 1, 3),
            _Trim(4, 4000),
            *_cnn_modules(dropout),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.encoder(x[:, None]))


class Resnet10(nn.Module):
    """Model 4."""

    def __init__(self) -> None:
        super().__init__()
        self.block_1 = nn.Sequential(
            nn.Conv1d(1, 2, 2),
            nn.BatchNorm1d(2),
            nn.ReLU(inplace=True),
            nn.Conv1d(2, 1, 1, padding=1),
            _Trim(16000),
            nn.BatchNorm1d(1),
        )
        self.block_2 = nn.Sequential(
            nn.Conv1d(1, 2, 2),
            nn.BatchNorm1d(2),
            nn.ReLU(inplace=True),
            nn.Conv1d(2, 1, 2, padding=1),
            nn.BatchNorm1d(1),
        )
        self.block_3 = nn.Sequential(
            nn.Conv1d(1, 2, 1),
            nn.BatchNorm1d(2),
            nn.MaxPool1d(2, 2),
            nn.ReLU(inplace=True),
            nn.Conv1d(2, 1, 2, padding=1),
            nn.MaxPool1d(2, 2),
            nn.BatchNorm1d(1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.reshape(len(x), 1, -1)
        x = x + self.block_1(x)
        x = x + self.block_2(x)
        return self.block_3(x).flatten(1)


MODELS = {"mlp": MLP10, "cnn": CNN1, "conv_ae": CONVAE, "resnet": Resnet10}


def optimizer(name: str, model: nn.Module, *, fused: bool = False) -> torch.optim.Optimizer:
    """Returns the report's optimizer for a model.

    Args:
        name: The model's name.
        model: The model.
        fused: Update all weights in one kernel, where PyTorch has one: RMSprop has none.
    """
    parameters = model.parameters()
    if name == "mlp":
        return torch.optim.RMSprop(parameters, lr=1e-5)
    if name == "cnn":
        return torch.optim.SGD(parameters, lr=1e-3, fused=fused)
    if name == "conv_ae":
        return torch.optim.RMSprop(parameters, lr=1e-3)
    return torch.optim.Adam(parameters, lr=1e-3, fused=fused)
