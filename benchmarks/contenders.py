"""What is timed: training steps and inference of each model, in tfseq and in PyTorch.

Each function builds one contender and returns a function without arguments that does one step. The
sides of PyTorch are what its users would write, with the settings that may help: torch.compile,
channels_last images, and bfloat16 autocast for the matrix products of the MLP.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

MODELS = ("cnn", "resnet", "conv_ae", "mlp")
# PyTorch's settings, by contender.
TORCH = {
    "PyTorch": {},
    "PyTorch channels_last": {"channels_last": True},
    "PyTorch compiled": {"compiled": True},
    "PyTorch compiled channels_last": {"compiled": True, "channels_last": True},
    "PyTorch bfloat16": {"bfloat16": True},
    "PyTorch compiled bfloat16": {"compiled": True, "bfloat16": True},
}
Step = Callable[[], None]
_MANY = 10**6  # records an epoch: enough to compile for


def sides(model: str, *, training: bool) -> list[str]:
    """Returns the names of the contenders for a model."""
    if model == "mlp":
        ours = ["tfseq", "tfseq mixed_bfloat16"] if training else ["tfseq", "tfseq export"]
        theirs = [name for name in TORCH if "channels_last" not in name]
    else:
        ours = ["tfseq", "tfseq layers as they are"]
        if not training:
            ours = ["tfseq", "tfseq export", "tfseq export compiled"]
        theirs = [name for name in TORCH if "bfloat16" not in name]
        if model == "resnet":  # it has no images
            theirs = [name for name in theirs if "channels_last" not in name]
    return ours + theirs


def data(batch_size: int, steps: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Returns waveforms (batch_size, 4, steps) and labels (batch_size, steps), float32."""
    random = np.random.default_rng(0)
    waveform = random.random((batch_size, 4, steps), np.float32)
    return waveform, 4 * random.random((batch_size, steps), np.float32)


def training(side: str, model: str, batch_size: int, steps: int = 4000) -> Step:
    """Returns one training step with the report's optimizer."""
    arrays = data(batch_size, steps)
    if side in TORCH:
        return _torch_training(model, *arrays, **TORCH[side])
    return _keras_training(side, model, *arrays)


def inference(side: str, model: str, batch_size: int) -> Step:
    """Returns one call of a model, from a NumPy array to a NumPy array."""
    waveform, _ = data(batch_size)
    if side in TORCH:
        return _torch_inference(model, waveform, **TORCH[side])
    import tensorflow as tf

    from tfseq import models
    from tfseq.models import lowering

    network = models.build(model)
    if side.startswith("tfseq export"):
        return _export(network, waveform, compiled=side == "tfseq export compiled")
    fast = lowering.inference(network)
    infer = tf.function(lambda x: fast(x, training=False), jit_compile=fast is not network)
    return lambda: infer(waveform).numpy()


def _export(network, waveform: np.ndarray, *, compiled: bool) -> Step:
    """The export in TensorFlow's C++ session, which TF Serving runs it in, or compiled by XLA."""
    from tfseq.saved_model import SavedModel
    from tfseq.serving import session, signatures

    with tempfile.TemporaryDirectory() as folder:
        signatures.save(network, Path(folder))
        if compiled:
            predict = SavedModel(folder).compiled()
            return lambda: predict(waveform)
        served = session.Session(Path(folder))
    return lambda: served.run("serving_default", {"waveform": waveform})


def _keras_training(side: str, name: str, waveform: np.ndarray, label: np.ndarray) -> Step:
    """A step as `tfseq.train` does it."""
    import keras
    import tensorflow as tf

    from tfseq import configs, training_step

    config = configs.get(name)
    if side == "tfseq layers as they are":
        config.lowering = "never"
    if side == "tfseq mixed_bfloat16":
        config.precision = "mixed_bfloat16"
        keras.config.set_dtype_policy("mixed_bfloat16")
    model = training_step.new_model(config, waveform.shape[1:])
    model = training_step.to_fit(model, config, _MANY, training_step.make_strategy("one_device"))
    batches = iter(tf.data.Dataset.from_tensors((waveform, label)).cache().repeat().prefetch(2))
    model.make_train_function()
    return lambda: float(model.train_function(batches)["loss"])


def _torch_network(model: str, compiled: bool, channels_last: bool):
    # PyTorch's CUDA build loads triton where it is installed, which crashes beside TensorFlow.
    sys.modules.setdefault("triton", None)
    import torch

    from benchmarks import torch_models

    network = torch_models.MODELS[model]()
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
    return network, torch.compile(network) if compiled else network


def _torch_training(
    model: str,
    waveform: np.ndarray,
    label: np.ndarray,
    *,
    compiled: bool = False,
    channels_last: bool = False,
    bfloat16: bool = False,
) -> Step:
    import torch

    from benchmarks import torch_models

    network, forward = _torch_network(model, compiled, channels_last)
    optimizer = torch_models.optimizer(model, network)
    x, y = torch.from_numpy(waveform), torch.from_numpy(label)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            loss = torch.nn.functional.mse_loss(forward(x).float(), y)
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def _torch_inference(
    model: str,
    waveform: np.ndarray,
    *,
    compiled: bool = False,
    channels_last: bool = False,
    bfloat16: bool = False,
) -> Step:
    import torch

    network, forward = _torch_network(model, compiled, channels_last)
    network.eval()

    def step() -> None:
        # torch.compile does not work in inference_mode everywhere; no_grad costs as little.
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            forward(torch.from_numpy(waveform)).float().numpy()

    return step
