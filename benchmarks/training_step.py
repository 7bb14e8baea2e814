"""Times a training step of each model beside PyTorch, in one process, in turn.

    python benchmarks/training_step.py --models=cnn,resnet --steps=20

Both sides get the same batch, the report's optimizer and all cores. They take turns in rounds of a
few steps, the first of which does not count; the table holds medians. PyTorch's CPU build is meant:
the triton of its CUDA build crashes beside TensorFlow.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
from absl import app, flags

from tfseq import cli

FLAGS = flags.FLAGS
flags.DEFINE_list("models", ["cnn", "resnet", "conv_ae", "mlp"], "Models to time.")
flags.DEFINE_integer("batch_size", 128, "Records a step.")
flags.DEFINE_integer("steps", 12, "Steps that count, of each.")
flags.DEFINE_bool("compile", True, "Time torch.compile too.")
_STEPS_A_ROUND = 4


def keras_step(name: str, waveform: np.ndarray, label: np.ndarray) -> Callable[[], None]:
    """Returns a function that trains a tfseq model for one step, as `model.fit` does."""
    import tensorflow as tf

    from tfseq import configs, models, trainer

    config = configs.get(name)
    model = models.build(**config.model)
    model.compile(trainer.make_optimizer(**config.optimizer), "mse", jit_compile=config.jit_compile)
    batches = iter(tf.data.Dataset.from_tensors((waveform, label)).cache().repeat().prefetch(2))
    model.make_train_function()
    return lambda: float(model.train_function(batches)["loss"])


def torch_step(
    name: str, waveform: np.ndarray, label: np.ndarray, *, compiled: bool
) -> Callable[[], None]:
    """Returns a function that trains the report's PyTorch model for one step."""
    import torch
    import torch_models

    model = torch_models.MODELS[name]()
    optimizer = torch_models.optimizer(name, model)
    forward = torch.compile(model) if compiled else model
    x, y = torch.from_numpy(waveform), torch.from_numpy(label)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.mse_loss(forward(x), y)
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def milliseconds(steps: dict[str, Callable[[], None]], count: int) -> dict[str, float]:
    """Returns the median duration of each function, called in turn, in milliseconds."""
    for step in steps.values():  # traces, compiles, fills caches
        step()
        step()
    times: dict[str, list[float]] = {name: [] for name in steps}
    while min(map(len, times.values())) < count:
        for name, step in steps.items():
            for turn in range(_STEPS_A_ROUND + 1):
                start = time.perf_counter()
                step()
                if turn:
                    times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def main(_: list[str]) -> None:
    """Prints the table."""
    cli.import_tensorflow()
    random = np.random.default_rng(0)
    waveform = random.random((FLAGS.batch_size, 4, 4000), np.float32)
    label = 4 * random.random((FLAGS.batch_size, 4000), np.float32)
    print(f"training step, batch {FLAGS.batch_size}, milliseconds (medians)")
    print(f"{'model':<10}{'tfseq':>10}{'PyTorch':>10}{'compiled':>10}{'ratio':>10}")
    for name in FLAGS.models:
        steps = {
            "tfseq": keras_step(name, waveform, label),
            "PyTorch": torch_step(name, waveform, label, compiled=False),
        }
        if FLAGS.compile:
            steps["compiled"] = torch_step(name, waveform, label, compiled=True)
        times = milliseconds(steps, FLAGS.steps)
        best = min(value for key, value in times.items() if key != "tfseq")
        cells = "".join(
            f"{times[key]:>10.1f}" if key in times else f"{'-':>10}"
            for key in ("tfseq", "PyTorch", "compiled")
        )
        print(f"{name:<10}{cells}{best / times['tfseq']:>9.2f}x", flush=True)


if __name__ == "__main__":
    app.run(main)
