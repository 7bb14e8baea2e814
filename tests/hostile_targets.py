"""The readers of files that users name, each with the files it is tried with."""

import functools

import hostile
import numpy as np

from tfseq import configs, record_files
from tfseq.configs import file
from tfseq.datasets.emg_lower_limb import recordings
from tfseq.datasets.record_sets import sources

_LARGEST_SPLIT = 4


def read_sets(folder):
    """Reads all records of the sets in a folder."""
    for each in sources.open_sets(folder):
        for _ in each.records(lambda index: True):
            pass


def npy_sets(folder, data):
    messages = []
    for key, other in (("x", hostile.labels()), ("y", hostile.waveforms())):
        path = hostile.written(folder, f"set1_{key}.npy", data)
        np.save(path.with_name(f"set1_{'y' if key == 'x' else 'x'}.npy"), other)
        messages.append(hostile.told(lambda: read_sets(path.parent)))  # noqa: B023 - called here
    return messages


def npz_sets(folder, data):
    path = hostile.written(folder, "set1.npz", data)
    message = hostile.told(lambda: read_sets(path.parent))
    assert [each.name for each in path.parent.iterdir()] == ["set1.npz"], "extracted"
    return message


def lower_limb(folder, data):
    path = hostile.written(folder, "1Nmar.txt", data)

    def read():
        with np.errstate(all="warn"):
            recordings.read(path).standardized()

    return hostile.told(read)


def waveforms(folder, data):
    path = hostile.written(folder, "x.npy", data)

    def read():
        for batch in record_files.Waveforms(path).batches(_LARGEST_SPLIT):
            assert batch.dtype == np.float32

    return hostile.told(read)


def config_file(folder, data):
    path = hostile.written(folder, "settings.json", data)
    return hostile.told(lambda: configs.check(file.read(path)))


@functools.cache
def small_model():
    from tfseq import models

    return models.build("cnn", waveform_shape=(4, 40))


def weights(suffix, folder, data):
    from tfseq import torch_weights

    path = hostile.written(folder, f"w{suffix}", data)
    return hostile.told(lambda: torch_weights.load(small_model(), path))


def read_weights(folder):
    """Reads w.npz in a folder into the small model."""
    from tfseq import torch_weights

    torch_weights.load(small_model(), folder / "w.npz")


def state():
    """Weights of the small model in PyTorch's layout."""
    from tfseq import torch_weights

    return {
        name: np.zeros(torch_weights._torch_shape(variable), np.float32)
        for name, variable in torch_weights._torch_names(small_model())
    }
