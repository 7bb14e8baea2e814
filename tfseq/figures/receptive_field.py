"""Draws which steps of the waveform each step of a model's label is computed from.

  python -m tfseq.figures.receptive_field --out=docs/figures/receptive_field.png

What is drawn is the size of the gradient, averaged over records of white noise and channels, of
models with freshly initialized weights: what a model can see, not what it has learned to look at.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from tfseq import cli

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLAGS = flags.FLAGS

_STEPS = 1000  # of the records: the pattern is that of 4000 steps, at a sixteenth of the cost
_PARTS = 100  # of label and waveform, for each of which one value is drawn
_RECORDS = 4
# Without batch normalization a record's gradient is its own; without dead units it is complete.
_SMOOTH = {"activation": "gelu", "batch_norm": False}
_PANELS = {
    "cnn, report's layout": ("cnn", _SMOOTH),
    "conv_ae, report's layout": ("conv_ae", _SMOOTH),
    "resnet, report's layout": ("resnet", _SMOOTH),
    "cnn, layout time": ("cnn", {**_SMOOTH, "layout": "time"}),
    "conv_ae, layout time": ("conv_ae", {**_SMOOTH, "layout": "time"}),
    "resnet, layout time": ("resnet", {**_SMOOTH, "layout": "time"}),
    "mlp": ("mlp", {"hidden_units": (80, 60, 40), "activation": "gelu"}),
    "seqnet without context": ("seqnet", {"context": False}),
    "seqnet": ("seqnet", {}),
}


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("out", "receptive_field.png", "The figure, a .png, .svg or .pdf.")


def main() -> None:
    """Runs the command."""
    out = Path(FLAGS.out)
    cli.require_writable("--out", out.parent)
    cli.import_tensorflow()
    from tfseq.figures import style

    style.save(_figure(), out, dots_per_inch=150)
    print(out)


def gradients(name: str, settings: dict) -> np.ndarray:
    """Returns how strongly each part of the label depends on each part of the waveform.

    Args:
        name: A model.
        settings: Its hyperparameters.

    Returns:
        (label, waveform): 100 parts of each; the largest is 1.
    """
    import keras
    import tensorflow as tf

    from tfseq import models

    keras.utils.set_random_seed(0)
    model = models.build(name, waveform_shape=(4, _STEPS), **settings)
    waveform = tf.random.stateless_normal((_RECORDS, 4, _STEPS), seed=(0, 0))
    length = _STEPS // _PARTS

    @tf.function
    def of_part(part: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(waveform)
            label = model(waveform, training=False)
            # One step of the part: a sum of several would mix signs.
            value = tf.reduce_sum(label[:, part * length])
        size = tf.reduce_mean(tf.abs(tape.gradient(value, waveform)), axis=(0, 1))
        return tf.reduce_max(tf.reshape(size, (_PARTS, length)), axis=1)

    found = np.stack([of_part(tf.constant(part)).numpy() for part in range(_PARTS)])
    return found / found.max()


def _figure() -> "Figure":
    import matplotlib

    from tfseq.figures import style

    with matplotlib.rc_context(style.PARAMETERS):
        title = "What a step of the label is computed from: size of the gradient, logarithmic"
        figure = style.empty_figure(title, style.WIDTH)
        axes = figure.subplots(3, 3, sharex=True, sharey=True)
        norm = matplotlib.colors.LogNorm(1e-3, 1)
        for axis, (title, (name, settings)) in zip(axes.flat, _PANELS.items(), strict=True):
            values = np.maximum(gradients(name, settings), 1e-12)
            drawn = axis.imshow(
                values, norm=norm, cmap="Greys", extent=(0, _STEPS, _STEPS, 0), aspect="equal"
            )
            axis.set_title(title)
            axis.grid(visible=False)
        figure.supxlabel("step of the waveform", fontsize=8)
        figure.supylabel("step of the label", fontsize=8)
        figure.colorbar(drawn, ax=axes, shrink=0.5, extend="min")
    return figure


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
