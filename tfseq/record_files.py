"""Reads waveforms from a .npy file and writes their labels to another, batch by batch.

Neither file need fit into memory, and the output is there whole or not at all.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tfseq.errors import UserError

if TYPE_CHECKING:
    import numpy as np


def require_folder(target: Path) -> None:
    """Refuses an output in a folder that does not exist, before work is spent on it.

    Raises:
        UserError: If there is no such folder.
    """
    if not target.parent.is_dir():
        raise UserError(f"--output: there is no folder {target.parent}")


def open_waveforms(path: Path) -> "np.ndarray":
    """Opens a .npy file without reading it.

    Args:
        path: An array (records, channels, steps) of any real dtype.

    Returns:
        The array, mapped from the file.

    Raises:
        UserError: If it is no such file, or holds no records.
    """
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


def label_records(
    label: Callable[["np.ndarray"], "np.ndarray"],
    waveforms: "np.ndarray",
    *,
    source: Path,
    target: Path,
    batch_size: int,
    finite: bool = True,
    ends: bool = False,
) -> None:
    """Labels waveforms and writes the labels to a .npy file, which appears when it is complete.

    Args:
        label: Maps waveforms (batch, channels, steps) float32 to labels (batch, steps) float32.
        waveforms: An array (records, channels, steps) of any real dtype.
        source: The file that they come from, for messages.
        target: Where the labels (records, steps) float32 go; what is there is replaced.
        batch_size: Records at a time.
        finite: Whether NaN and infinity are refused.
        ends: Whether `label` returns two ends of intervals, (batch, 2, steps), for a label.

    Raises:
        UserError: If a record holds NaN or infinity. What was at `target` stays.
    """
    temporary = target.with_name(f".{target.name}.incomplete")
    try:
        _write(label, waveforms, source, temporary, batch_size, finite, ends)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _write(
    label: Callable[["np.ndarray"], "np.ndarray"],
    waveforms: "np.ndarray",
    source: Path,
    target: Path,
    batch_size: int,
    finite: bool,
    ends: bool,
) -> None:
    import numpy as np
    from tqdm import tqdm

    shape = (len(waveforms), *([2] if ends else []), waveforms.shape[2])
    labels = np.lib.format.open_memmap(target, mode="w+", dtype=np.float32, shape=shape)
    starts = range(0, len(waveforms), batch_size)
    for start in tqdm(starts, unit="batch", disable=None):
        batch = np.asarray(waveforms[start : start + batch_size], np.float32)
        bad = np.flatnonzero(~np.isfinite(batch).all(axis=(1, 2)))
        if finite and bad.size:
            raise UserError(f"{source}: record {start + bad[0]} holds NaN or infinity")
        labels[start : start + len(batch)] = label(batch)
    labels.flush()
