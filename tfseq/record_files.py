"""Reads waveforms from a .npy file and writes their labels to another, batch by batch.

Neither file need fit into memory, and the output is there whole or not at all.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tfseq import atomic_file
from tfseq.errors import UserError

if TYPE_CHECKING:
    import numpy as np


def require_folder(flag: str, target: Path) -> None:
    """Refuses an output that has no folder or is one, before work is spent on it.

    Args:
        flag: The flag that names the output.
        target: The output.

    Raises:
        UserError: If there is no folder for it, or it is a folder itself.
    """
    if not target.parent.is_dir():
        raise UserError(f"{flag}: there is no folder {target.parent}")
    if target.is_dir():
        raise UserError(f"{flag}: expected the name of a file, got a folder: {target}")


class Waveforms:
    """The records of an .npy file, read batch by batch.

    Args:
        path: An array (records, channels, steps) of any real dtype.

    Attributes:
        path: The file.
        shape: (records, channels, steps).

    Raises:
        UserError: If it is no such file, or holds no records.
    """

    def __init__(self, path: Path) -> None:
        from tfseq import npy_format

        self.path = path
        try:
            if not path.is_file():
                raise ValueError("not a regular file")
            with path.open("rb") as stream:
                self._header = npy_format.read_header(stream)
        except (OSError, ValueError) as error:
            raise UserError(f"--input: {path} is not a readable .npy file of numbers") from error
        self.shape = self._header.shape
        if self._header.dtype.kind not in "fiu" or not math.prod(self.shape):
            raise UserError(
                f"--input: {path} does not hold an array (records, channels, steps) of real numbers"
            )
        if len(self.shape) != 3:
            raise UserError(
                f"--input: {path} has shape {self.shape}; expected (records, channels, steps)"
            )
        if self._header.record_bytes > npy_format.LARGEST_RECORD:
            raise UserError(
                f"--input: {path} has records of {self._header.record_bytes} bytes; expected at "
                f"most {npy_format.LARGEST_RECORD}"
            )
        if path.stat().st_size < self._header.offset + self._header.data_bytes:
            raise UserError(f"--input: {path} is cut short; expected {self.shape[0]} records")

    def batches(self, size: int) -> "Iterator[np.ndarray]":
        """Yields (at most `size`, channels, steps) float32.

        Raises:
            UserError: If the file cannot be read to its end.
        """
        import numpy as np

        from tfseq import npy_format

        with self.path.open("rb") as stream:
            records = npy_format.Records(self._header, stream)
            for start in range(0, self.shape[0], size):
                stop = min(start + size, self.shape[0])
                try:
                    batch = [npy_format.as_float32(records.read(i)) for i in range(start, stop)]
                except (OSError, EOFError) as error:
                    raise UserError(f"--input: {self.path} is cut short") from error
                yield np.stack(batch)


def label_records(
    label: Callable[["np.ndarray"], "np.ndarray"],
    waveforms: Waveforms,
    *,
    target: Path,
    batch_size: int,
    finite: bool = True,
    ends: bool = False,
) -> None:
    """Labels waveforms and writes the labels to a .npy file, which appears when it is complete.

    Args:
        label: Maps waveforms (batch, channels, steps) float32 to labels (batch, steps) float32.
        waveforms: The file of the waveforms.
        target: Where the labels (records, steps) float32 go; what is there is replaced.
        batch_size: Records at a time.
        finite: Whether NaN and infinity are refused.
        ends: Whether `label` returns two ends of intervals, (batch, 2, steps), for a label.

    Raises:
        UserError: If a record holds NaN or infinity. What was at `target` stays.
    """
    with atomic_file.replacing(target) as temporary:
        _write(label, waveforms, temporary, batch_size, finite, ends)


def _write(
    label: Callable[["np.ndarray"], "np.ndarray"],
    waveforms: Waveforms,
    target: Path,
    batch_size: int,
    finite: bool,
    ends: bool,
) -> None:
    import numpy as np
    from tqdm import tqdm

    records, _, steps = waveforms.shape
    shape = (records, *([2] if ends else []), steps)
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    done = 0
    batches = waveforms.batches(batch_size)
    # Written and not mapped: where the disk is full, a mapped file kills the process.
    with target.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for batch in tqdm(batches, total=-(-records // batch_size), unit="batch", disable=None):
            bad = np.flatnonzero(~np.isfinite(batch).all(axis=(1, 2)))
            if finite and bad.size:
                raise UserError(
                    f"--input: {waveforms.path}: record {done + bad[0]} holds NaN or infinity"
                )
            labels = np.broadcast_to(label(batch), (len(batch), *shape[1:]))
            file.write(np.ascontiguousarray(labels, "<f4").data)
            done += len(batch)
