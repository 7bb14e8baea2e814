"""Weights that someone who means harm has written are loaded, or refused in one line."""

import io
import zipfile

import hostile
import hostile_targets
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

LONG = "block" * 100_000


def npz(**changes):
    stream = io.BytesIO()
    np.savez(stream, **(hostile_targets.state() | changes))
    return stream.getvalue()


def pt(state):
    stream = io.BytesIO()
    torch.save(state, stream)
    return stream.getvalue()


def tensors():
    return {name: torch.from_numpy(array) for name, array in hostile_targets.state().items()}


WRITERS = {
    ".npz": npz,
    ".safetensors": lambda: save(hostile_targets.state()),
    ".pt": lambda: pt(tensors()),
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_file_of_weights_is_loaded_or_refused(suffix, tmp_path):
    assert hostile_targets.weights(suffix, tmp_path, WRITERS[suffix]()) is None

    @settings(hostile.FEW, max_examples=30)
    @given(data=hostile.changed(WRITERS[suffix]()))
    def check(data):
        hostile_targets.weights(suffix, tmp_path, data)

    check()


@hostile.FEW
@given(array=hostile.npy_files(), compression=st.sampled_from(hostile.COMPRESSIONS))
def test_an_array_of_any_header_is_loaded_or_refused(tmp_path, array, compression):
    entry = ("features.0.weight.npy", array, compression)
    assert hostile_targets.weights(".npz", tmp_path, hostile.npz([entry]))


def test_an_array_of_another_shape_is_not_read(tmp_path):
    header = io.BytesIO()
    form = {"descr": "<f4", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(header, form)
    data = hostile.npz([("features.0.bias.npy", header.getvalue(), zipfile.ZIP_DEFLATED)])
    message = hostile_targets.weights(".npz", tmp_path, data)
    assert "features.0.bias has shape (1000000000000,), expected" in message


def test_a_tensor_that_repeats_one_value_is_not_written_out(tmp_path):
    state = tensors()
    state["features.0.bias"] = torch.zeros(1, dtype=torch.float16).expand(10**13)
    assert "has shape (10000000000000,)" in hostile_targets.weights(".pt", tmp_path, pt(state))


def test_a_pt_file_that_grows_as_it_is_read_is_refused(tmp_path):
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(pt(tensors()))) as whole,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in whole.namelist():
            archive.writestr(name, whole.read(name))
    message = hostile_targets.weights(".pt", tmp_path, stream.getvalue())
    assert "an entry is compressed" in message


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "a\x85b"])
def test_a_name_cannot_write_to_the_terminal(name, tmp_path):
    message = hostile_targets.weights(".npz", tmp_path, npz(**{name: np.zeros(1)}))
    assert message.isprintable()


def test_names_without_end_are_cut(tmp_path):
    message = hostile_targets.weights(".npz", tmp_path, npz(**{LONG[:60_000]: np.zeros(1)}))
    assert "is not one of the model's" in message


def test_what_a_library_says_without_end_is_cut(tmp_path):
    data = hostile.with_a_long_name(npz())
    message = hostile_targets.weights(".npz", tmp_path, data)
    assert "File name in directory" in message
    assert len(message) < 800
