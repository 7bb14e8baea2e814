"""Thousands of hostile files for every reader; the ordinary tests draw some dozens of them.

HOSTILE_INPUTS says how many for each, HOSTILE_SEED which.
"""

import functools
import io
import os

import hostile
import hostile_targets
import numpy as np
import pytest
import torch
from hypothesis import given, seed, settings
from safetensors.numpy import save

from tfseq import configs

INPUTS = int(os.environ.get("HOSTILE_INPUTS", "2000"))
SEED = int(os.environ.get("HOSTILE_SEED", "0"))
NAMES = [*configs.get("cnn"), *configs.get("cnn").model, *configs.get("cnn").optimizer]


def npz_of_weights():
    stream = io.BytesIO()
    np.savez(stream, **hostile_targets.state())
    return stream.getvalue()


def pt_of_weights():
    stream = io.BytesIO()
    tensors = {name: torch.from_numpy(array) for name, array in hostile_targets.state().items()}
    torch.save(tensors, stream)
    return stream.getvalue()


def weights(suffix):
    return functools.partial(hostile_targets.weights, suffix)


TARGETS = {
    "record_sets .npy": (hostile_targets.npy_sets, hostile.npy_files),
    "record_sets .npz": (hostile_targets.npz_sets, hostile.npz_files),
    "emg_lower_limb": (hostile_targets.lower_limb, hostile.recording_files),
    "predict": (hostile_targets.waveforms, hostile.npy_files),
    "settings": (hostile_targets.config_file, lambda: hostile.settings_texts(NAMES)),
    "weights .npz": (weights(".npz"), lambda: hostile.changed(npz_of_weights())),
    "weights .safetensors": (
        weights(".safetensors"),
        lambda: hostile.changed(save(hostile_targets.state())),
    ),
    "weights .pt": (weights(".pt"), lambda: hostile.changed(pt_of_weights())),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("target", TARGETS)
def test_every_file_is_read_or_refused_in_one_line(target, tmp_path):
    read, files = TARGETS[target]
    tried = []

    @seed(SEED)
    @settings(hostile.FEW, max_examples=INPUTS, derandomize=False)
    @given(data=files())
    def check(data):
        tried.append(len(data))
        read(tmp_path, data)

    check()
    print(f"{target}: {len(tried)} inputs")
    assert len(tried) >= min(INPUTS, 100)
