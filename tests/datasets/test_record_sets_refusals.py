"""What is not a set or not a record is refused in one line that says what was expected."""

import zipfile

import numpy as np
import pytest

from tfseq import datasets
from tfseq.errors import UserError


def example(records=30, channels=2, steps=8):
    random = np.random.default_rng(0)
    return random.normal(size=(records, channels, steps)), random.uniform(0, 4, (records, steps))


X, Y = example()


def npz(name="set1.npz", **arrays):
    arrays = {"x": X, "y": Y} | arrays
    kept = {key: array for key, array in arrays.items() if array is not None}
    return lambda folder: np.savez_compressed(folder / name, **kept)


def pair(x=X, y=Y, number=1):
    def write(folder):
        for key, array in (("x", x), ("y", y)):
            if array is not None:
                np.save(folder / f"set{number}_{key}.npy", array)

    return write


def both(*writers):
    def write(folder):
        for writer in writers:
            writer(folder)

    return write


def damaged(writer, name, change):
    def write(folder):
        writer(folder)
        path = folder / name
        path.write_bytes(change(path.read_bytes()))

    return write


def stored(folder):
    np.savez(folder / "set1.npz", x=X, y=Y)


def text_member(folder):
    with zipfile.ZipFile(folder / "set1.npz", "w") as archive:
        archive.writestr("x", "1 2 3")


def changed(array, index, value):
    array = array.astype(np.float64)
    array[index] = value
    return array


def flipped(position):
    def change(data):
        at = int(len(data) * position)
        return data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :]

    return change


def nothing(folder):
    """The folder stays empty."""


REFUSED = {
    "an empty folder": (nothing, ["--manual_dir", "my_sets", "set1.npz", "x (records,"]),
    "no number in a name": (npz("setA.npz"), ["--manual_dir", "set1.npz", "set1_x.npy"]),
    "x without y": (pair(y=None), ["set1_x.npy", "no set1_y.npy", "expected"]),
    "y without x": (pair(x=None), ["set1_y.npy", "no set1_x.npy", "expected"]),
    "a set in both forms": (both(npz(), pair()), ["set 1 is there twice", "set1_y.npy"]),
    "a number twice": (both(npz(), npz("set01.npz")), ["set 1 is there twice", "set01.npz"]),
    "x of wrong rank": (npz(x=X[:, 0]), ["set1.npz: x", "(30, 8)", "(records, channels, steps)"]),
    "y of wrong rank": (pair(y=X), ["set1_y.npy: y", "(30, 2, 8)", "(records, steps)"]),
    "no records": (npz(x=X[:0], y=Y[:0]), ["set1.npz: x", "(0, 2, 8)", "at least one"]),
    "another number of labels": (pair(y=Y[:29]), ["set1_y.npy", "29 records", "30"]),
    "another number of steps": (npz(y=Y[:, :7]), ["set1.npz", "7 steps", "has 8"]),
    "sets of two sizes": (
        both(pair(), npz("set2.npz", x=X[:, :1])),
        ["set2.npz", "are 1 x 8", "set1_x.npy and set1_y.npy", "are 2 x 8", "one size"],
    ),
    "NaN in x": (npz(x=changed(X, (7, 1, 3), np.nan)), ["set1.npz: record 7", "nan at step 3"]),
    "infinity in y": (
        pair(y=changed(Y, (9, 2), np.inf)),
        ["set1_y.npy: record 9", "inf", "finite"],
    ),
    "beyond float32": (
        pair(x=changed(X, (8, 0, 0), 1e39)),
        ["record 8: waveform is inf", "finite"],
    ),
    "label too high": (npz(y=changed(Y, (3, 5), 4.5)), ["set1.npz: record 3", "4.5", "0..4"]),
    "label too low": (pair(y=changed(Y, (3, 5), -1)), ["record 3", "-1", "label_range"]),
    "objects in .npz": (npz(x=X.astype(object)), ["set1.npz: x is of type object", "integers"]),
    "objects in .npy": (pair(y=Y.astype(object)), ["set1_y.npy: y is of type object", "numbers"]),
    "text": (npz(y=Y.astype(str)), ["set1.npz: y is of type <U", "expected floating-point"]),
    "complex numbers": (pair(x=X.astype(complex)), ["set1_x.npy: x is of type complex128"]),
    "truth values": (npz(y=Y > 1), ["set1.npz: y is of type bool", "integers"]),
    "no y in .npz": (
        npz(y=None, labels=Y),
        ["no array y", "it has x, labels", "y (records, steps)"],
    ),
    "nothing in .npz": (npz(x=None, y=None), ["set1.npz: there is no array x", "no arrays"]),
    "no array but a text in .npz": (text_member, ["set1.npz: there is no array x", "no arrays"]),
    "Fortran order in .npz": (npz(x=np.asfortranarray(X)), ["Fortran", "ascontiguousarray(x)"]),
    "a cut .npy": (
        damaged(pair(), "set1_x.npy", lambda data: data[:-1]),
        ["set1_x.npy: x is cut short in record 29", "30 records of 128 bytes"],
    ),
    "an .npy cut in its header": (
        damaged(pair(), "set1_y.npy", lambda data: data[:20]),
        ["set1_y.npy: y", "numpy.save", "y (records, steps)"],
    ),
    "an empty .npy": (
        damaged(pair(), "set1_x.npy", lambda _: b""),
        ["set1_x.npy: x", "numpy.save"],
    ),
    "no .npy": (damaged(pair(), "set1_x.npy", lambda _: b"a,b\n" * 99), ["set1_x.npy: x is not"]),
    "a cut .npz": (
        damaged(npz(), "set1.npz", lambda data: data[:-30]),
        ["set1.npz", "numpy.savez"],
    ),
    "no .npz": (damaged(npz(), "set1.npz", lambda _: b"a,b\n" * 99), ["not a zip", "numpy.savez"]),
    "a damaged .npz": (
        damaged(npz(), "set1.npz", flipped(0.4)),
        ["set1.npz: cannot be read", "whole file"],
    ),
    "a wrong checksum": (damaged(stored, "set1.npz", flipped(0.4)), ["set1.npz", "CRC", "whole"]),
    "too few to validate": (
        npz(x=X[:3], y=Y[:3]),
        ["my_sets", "too few", "(3)", "validation split", "more"],
    ),
    "too few to train": (npz(x=X[:1], y=Y[:1], name="set6.npz"), ["too few", "(1)", "train split"]),
}

BAD_SETTINGS = {
    "sets=9": ({"sets": 9}, ["--config.dataset.sets", "no set 9", "there are 1, 2"]),
    "sets=()": ({"sets": ()}, ["--config.dataset.sets", "1,4"]),
    "sets=-1": ({"sets": -1}, ["--config.dataset.sets", "-1"]),
    "sets='one'": ({"sets": "one"}, ["--config.dataset.sets", "'one'"]),
    "label_range=4,0": ({"label_range": (4, 0)}, ["--config.dataset.label_range", "lower first"]),
    "label_range=4": ({"label_range": 4}, ["--config.dataset.label_range", "two numbers"]),
    "label_range='04'": ({"label_range": "04"}, ["--config.dataset.label_range", "two numbers"]),
    "label_range=nan": ({"label_range": (0, np.nan)}, ["--config.dataset.label_range"]),
    "label_range=a,b": ({"label_range": ("a", "b")}, ["--config.dataset.label_range"]),
    "group_by='subject'": ({"group_by": "subject"}, ["--config.dataset.group_by", "record, set"]),
    "groups of one set": (
        {"group_by": "set", "sets": 1},
        ["--manual_dir", "too few sets (1)", "train split"],
    ),
    "allow_nonfinite='no'": ({"allow_nonfinite": "no"}, ["allow_nonfinite", "true or false"]),
    "channels=0": ({"channels": 0}, ["--config.dataset.channels", "1 or more"]),
    "steps=8.0": ({"steps": 8.0}, ["--config.dataset.steps", "1 or more"]),
    "another size": ({"channels": 4, "steps": 4000}, ["set1.npz", "2 x 8", "expected 4 x 4000"]),
    "unknown": ({"set": 1}, ["--config.dataset.set", "no such setting", "label_range"]),
}


@pytest.fixture
def refusal(tmp_path):
    def message_of_refusal(**arguments):
        with pytest.raises(UserError) as caught:
            datasets.load("record_sets", data_dir=tmp_path / "data", **arguments)
        message = str(caught.value)
        assert "\n" not in message
        # TFDS notes the name of the default config beside the data sets.
        left = {path.name for path in (tmp_path / "data").rglob("*") if path.is_file()}
        assert left <= {"metadata.json"}
        assert not list((tmp_path / "data").rglob("*incomplete*"))
        return message

    return message_of_refusal


@pytest.mark.parametrize("case", REFUSED)
def test_sets_that_are_not_of_the_form_are_refused(case, tmp_path, refusal):
    write, pieces = REFUSED[case]
    folder = tmp_path / "my_sets"
    folder.mkdir()
    write(folder)
    message = refusal(manual_dir=folder)
    assert [piece for piece in pieces if piece not in message] == [], message


@pytest.mark.parametrize("case", BAD_SETTINGS)
def test_settings_that_cannot_be_met_are_refused(case, tmp_path, refusal):
    settings, pieces = BAD_SETTINGS[case]
    both(npz(), pair(number=2))(tmp_path)
    message = refusal(manual_dir=tmp_path, **settings)
    assert [piece for piece in pieces if piece not in message] == [], message


def test_a_folder_that_is_not_there_is_refused(tmp_path, refusal):
    assert f"--manual_dir: there is no folder {tmp_path / 'none'}" in refusal(
        manual_dir=tmp_path / "none"
    )


def test_no_folder_at_all_is_refused_with_what_it_must_hold(refusal):
    message = refusal()
    assert "--manual_dir" in message
    assert "set1.npz" in message


def test_old_records_are_not_used_once_a_file_is_refused(tmp_path):
    npz()(tmp_path)
    places = {"data_dir": tmp_path / "data", "manual_dir": tmp_path}
    datasets.load("record_sets", **places)
    npz(x=changed(X, (7, 1, 3), np.nan))(tmp_path)
    for _ in range(2):
        with pytest.raises(UserError, match="record 7"):
            datasets.load("record_sets", **places)
