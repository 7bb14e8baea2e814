"""What tfseq is measured against: its networks in PyTorch, the report's four as it prints them."""

import torch
from torch import nn
from torch.nn import functional


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


class _Views(nn.Module):
    """What `tfseq.transform.Views` shows of every channel, in the order of seqnet's settings."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        centred = x - x.mean(2, keepdim=True)
        deviation = (centred.square().mean(2, keepdim=True) + 1e-12).sqrt()
        normalized = centred / deviation
        # Of 16 steps 7 are before: pooling that pads both sides by 8 has one too many at first.
        power = functional.avg_pool1d(
            normalized.square(), 16, stride=1, padding=8, count_include_pad=False
        )
        envelope = (power[..., 1:] + 1e-4).log()
        gain = deviation.log().expand_as(x)
        return torch.cat([x, normalized, normalized.abs(), envelope, gain], 1)


class _ChannelNorm(nn.LayerNorm):
    """Normalizes the channels of each step of (batch, channels, 1, steps)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _Block(nn.Module):
    """Normalization, dilated convolution, activation, context, mixing; plus its input."""

    def __init__(self, filters: int, dilation: int) -> None:
        super().__init__()
        self.norm = _ChannelNorm(filters)
        self.convolution = nn.Conv2d(
            filters, filters, (1, 5), padding="same", dilation=(1, dilation)
        )
        self.squeeze = nn.Linear(filters, filters // 4)
        self.excite = nn.Linear(filters // 4, filters)
        self.mixing = nn.Conv2d(filters, filters, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.silu(self.convolution(self.norm(x)))
        context = self.excite(functional.silu(self.squeeze(y.mean((2, 3)))))
        return x + self.mixing(y + context[..., None, None])


class SeqNet(nn.Module):
    """`tfseq.models.seqnet` as its settings have it, for steps that are a multiple of 16.

    Of images one row high: sequences have no channels_last, which is faster.
    """

    def __init__(self, filters: int = 64, blocks: int = 10) -> None:
        super().__init__()
        frames = {"kernel_size": (1, 32), "stride": (1, 16), "padding": (0, 8)}
        self.views = _Views()
        self.frames = nn.Conv2d(20, filters, **frames)
        self.blocks = nn.Sequential(*(_Block(filters, 2 ** (index % 5)) for index in range(blocks)))
        self.norm = _ChannelNorm(filters)
        self.steps = nn.ConvTranspose2d(filters, 1, **frames)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        frames = self.frames(self.views(x)[:, :, None])
        return self.steps(self.norm(self.blocks(frames))).flatten(1)


MODELS = {"mlp": MLP10, "cnn": CNN1, "conv_ae": CONVAE, "resnet": Resnet10, "seqnet": SeqNet}
CLIP_NORM = {"seqnet": 1.0}
"""Length above which the gradient of all weights is shortened; of other models it never is."""


def optimizer(name: str, model: nn.Module, *, fused: bool = False) -> torch.optim.Optimizer:
    """Returns the optimizer of a model: the report's, or that of tfseq's settings.

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
    if name == "seqnet":
        # On a processor too: one after the other, its 106 arrays take 4 ms, not 1.
        return torch.optim.AdamW(parameters, lr=2e-3, weight_decay=1e-4, fused=True)
    return torch.optim.Adam(parameters, lr=1e-3, fused=fused)
