"""Writes the small sets that the test of this data set reads.

Run `python -m tfseq.datasets.record_sets.make_dummy_data` to write them again.
"""

from pathlib import Path

import numpy as np

from tfseq import schema

FOLDER = Path(__file__).with_name("dummy_data")


def write(folder: Path) -> None:
    """Writes set1.npz and the pair of set 2: steps of small integers, which compress well.

    Args:
        folder: Where to; made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    x, y = _steps(records=6, dtype=np.uint8)
    np.savez_compressed(folder / "set1.npz", x=x, y=y)
    x, y = _steps(records=4, dtype=np.int8)
    np.save(folder / "set2_x.npy", x)
    np.save(folder / "set2_y.npy", y)


def _steps(records: int, dtype: type) -> tuple[np.ndarray, np.ndarray]:
    channels, steps = schema.waveform_shape()
    record, channel, step = np.ogrid[:records, :channels, :steps]
    x = (record + channel + step // 500) % 5
    y = (record[:, 0] + step[0] // 1000) % 5
    return x.astype(dtype), y.astype(dtype)


if __name__ == "__main__":
    write(FOLDER)
