"""The networks in PyTorch, with the settings that its users would try.

On a GPU: matrix products in TF32, as its convolutions and JAX compute them anyway, cuDNN's fastest
algorithms, optimizers in one kernel, `torch.compile` with CUDA graphs for the network, and for the
update too.
"""

from collections.abc import Callable

import numpy as np
import torch

from benchmarks import torch_models
from benchmarks.contenders import CALL_STEPS
from benchmarks.torch_settings import TORCH


class TorchSide:
    """Builds contenders on the device that a backend of Keras is measured on.

    Args:
        backend: "tensorflow", the processor, or "jax", the GPU if there is one.
    """

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self.calls = CALL_STEPS[backend]
        self.on_gpu = backend == "jax" and torch.cuda.is_available()
        self.device = torch.device("cuda" if self.on_gpu else "cpu")
        if self.on_gpu:
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.benchmark = True

    def _compile(self, function: Callable) -> Callable:
        return torch.compile(function, mode="reduce-overhead" if self.on_gpu else None)

    def _network(self, name: str, channels_last: bool) -> torch.nn.Module:
        network = torch_models.MODELS[name]().to(self.device)
        return network.to(memory_format=torch.channels_last) if channels_last else network

    def _autocast(self, bfloat16: bool) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=bfloat16)

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device)

    def training(
        self, side: str, name: str, waveform: np.ndarray, label: np.ndarray
    ) -> Callable[[], float]:
        """Training steps with the model's optimizer."""
        compiled, bfloat16 = (TORCH[side].get(key) for key in ("compiled", "bfloat16"))
        network = self._network(name, TORCH[side].get("channels_last", False))
        optimizer = torch_models.optimizer(name, network, fused=self.on_gpu)
        forward = self._compile(network) if compiled else network
        update = self._update(optimizer, torch_models.CLIP_NORM.get(name))
        if compiled and self.on_gpu:
            update = torch.compile(update)
        x, y = self._tensor(waveform), self._tensor(label)

        def call() -> float:
            for _ in range(self.calls):
                optimizer.zero_grad(set_to_none=True)
                with self._autocast(bool(bfloat16)):
                    loss = torch.nn.functional.mse_loss(forward(x).float(), y)
                loss.backward()
                update()
            return loss.item()

        return call

    @staticmethod
    def _update(optimizer: torch.optim.Optimizer, clip_norm: float | None) -> Callable[[], None]:
        if clip_norm is None:
            return optimizer.step
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]

        def update() -> None:
            torch.nn.utils.clip_grad_norm_(weights, clip_norm)
            optimizer.step()

        return update

    def inference(
        self, side: str, name: str, waveform: np.ndarray, *, in_a_row: bool
    ) -> Callable[[], None]:
        """Calls of the network, each of which is waited for, or of those in a row the last."""
        settings = TORCH[side]
        network = self._network(name, settings.get("channels_last", False)).eval()
        kind = torch.float32
        if settings.get("bfloat16_weights"):
            kind = torch.bfloat16
            network = network.to(kind)
        forward = self._compile(network) if settings.get("compiled") else network
        x = self._tensor(waveform)

        def call() -> None:
            # torch.compile does not work in inference_mode everywhere; no_grad costs as little.
            with torch.no_grad(), self._autocast(settings.get("bfloat16", False)):
                if self.backend == "tensorflow":
                    forward(torch.from_numpy(waveform)).float().numpy()
                    return
                for _ in range(self.calls):
                    forward(x.to(kind)).float()
                    if self.on_gpu and not in_a_row:
                        torch.cuda.synchronize()
                if self.on_gpu:
                    torch.cuda.synchronize()

        return call
