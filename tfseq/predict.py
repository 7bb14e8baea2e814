"""Labels waveforms from a file with an exported model.

  python -m tfseq.predict --saved_model=saved_models/cnn/1 --input=x.npy --output=y.npy

The input is an array (records, channels, steps) of any real dtype, the output (records, steps)
float32. Both are read and written in batches: they may be larger than memory.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from tfseq import cli
from tfseq.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from tfseq.saved_model import SavedModel

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("saved_model", None, "Version folder of an exported model.")
    flags.DEFINE_string("input", None, ".npy file of waveforms (records, channels, steps).")
    flags.DEFINE_string("output", None, ".npy file that the labels (records, steps) go to.")
    flags.DEFINE_integer("batch_size", 128, "Records at a time.", lower_bound=1)


def main() -> None:
    """Runs the command."""
    cli.require("saved_model", "input", "output")
    source, target = Path(FLAGS.input), Path(FLAGS.output)
    if not target.parent.is_dir():
        raise UserError(f"--output: there is no folder {target.parent}")
    waveforms = _open(source)
    cli.import_tensorflow()
    from tfseq.saved_model import SavedModel

    model = SavedModel(FLAGS.saved_model)
    if waveforms.shape[1:] != model.waveform_shape:
        channels, steps = model.waveform_shape
        raise UserError(
            f"{source}: the array has shape {waveforms.shape}; the model wants "
            f"(records, {channels}, {steps})"
        )
    temporary = target.with_name(f".{target.name}.incomplete")
    try:
        _predict(model, waveforms, source, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    print(f"{len(waveforms)} records labelled: {target}")


def _open(path: Path) -> "np.ndarray":
    import numpy as np

    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"--input: {path} is not a readable .npy file of numbers") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or not array.size:
        raise UserError(
            f"--input: {path} does not hold an array (records, channels, steps) of real numbers"
        )
    return array


def _predict(model: "SavedModel", waveforms: "np.ndarray", source: Path, target: Path) -> None:
    import numpy as np
    from tqdm import tqdm

    shape = (len(waveforms), waveforms.shape[2])
    labels = np.lib.format.open_memmap(target, mode="w+", dtype=np.float32, shape=shape)
    starts = range(0, len(waveforms), FLAGS.batch_size)
    for start in tqdm(starts, unit="batch", disable=None):
        batch = np.asarray(waveforms[start : start + FLAGS.batch_size], np.float32)
        bad = np.flatnonzero(~np.isfinite(batch).all(axis=(1, 2)))
        if bad.size:
            raise UserError(f"{source}: record {start + bad[0]} holds NaN or infinity")
        labels[start : start + len(batch)] = model.predict(batch)
    labels.flush()


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
