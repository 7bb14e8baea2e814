"""Small made-up sets of records, with the numbers that fall to each split."""

import numpy as np

from tfseq import datasets
from tfseq.datasets.record_sets.splits import split_of

RECORDS, CHANNELS, STEPS = 500, 2, 80
NUMBERS = {
    split: [number for number in range(RECORDS) if split_of(1, number) == split]
    for split in ("train", "validation", "test")
}
"""By split, the indices of its records in the set."""
ALL = {"allow_nonfinite": True, "allow_out_of_range": True}
"""The settings that let every record in."""


def clean():
    """Returns waveforms and labels without an anomaly: float32, independent at every step."""
    random = np.random.default_rng(0)
    labels = random.uniform(0, 4, (RECORDS, STEPS))
    waveforms = random.normal(size=(RECORDS, CHANNELS, STEPS)) + labels[:, np.newaxis]
    return waveforms.astype(np.float32), labels.astype(np.float32)


def write(folder, waveforms, labels):
    """Writes set 1 to a folder, and returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "set1.npz", x=waveforms, y=labels)
    return folder


def load(folder, waveforms, labels, **settings):
    """Returns a builder of the set."""
    raw = write(folder / "raw", waveforms, labels)
    return datasets.load("record_sets", data_dir=folder / "built", manual_dir=raw, **settings)
