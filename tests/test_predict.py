"""Waveforms from a file are labelled as the model labels them, or nothing is written."""

import command
import numpy as np
import pytest

WAVEFORMS = np.random.default_rng(0).normal(size=(11, 4, 4000)).astype(np.float32)


@pytest.fixture(scope="module")
def model(trained):
    """The version folder of an exported CNN."""
    run = trained("cnn").result()
    run.finished.check()
    return run.export_dir / "cnn" / "1"


@pytest.fixture(scope="module")
def expected(model):
    """The labels of WAVEFORMS."""
    import tensorflow as tf

    return (
        tf.saved_model.load(str(model))
        .signatures["serving_default"](waveform=WAVEFORMS)["label"]
        .numpy()
    )


def predict(model, *arguments, cwd):
    return command.run(
        "predict", f"--saved_model={model}", "--input=x.npy", "--output=y.npy", *arguments, cwd=cwd
    )


def test_labels_are_the_model_s_whatever_the_batch_and_an_old_output_is_replaced(
    model, expected, tmp_path
):
    np.save(tmp_path / "x.npy", WAVEFORMS.astype(np.float64))
    np.save(tmp_path / "y.npy", np.zeros(3))
    done = predict(model, "--batch_size=4", cwd=tmp_path).check()
    assert "11 records" in done.stdout
    assert done.stderr == ""
    labels = np.load(tmp_path / "y.npy")
    assert labels.dtype == np.float32
    np.testing.assert_allclose(labels, expected, atol=1e-6)
    assert {path.name for path in tmp_path.iterdir()} == {"x.npy", "y.npy"}


def test_whole_numbers_in_fortran_order_are_waveforms_too(model, tmp_path):
    import tensorflow as tf

    counts = np.asfortranarray(np.arange(2 * 4 * 4000).reshape(2, 4, 4000) % 5, dtype=np.int16)
    np.save(tmp_path / "x.npy", counts)
    predict(model, cwd=tmp_path).check()
    serve = tf.saved_model.load(str(model)).signatures["serving_default"]
    label = serve(waveform=np.ascontiguousarray(counts, np.float32))["label"]
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), label, atol=1e-6)


def test_every_record_of_a_long_file_has_its_own_label(model, expected, tmp_path):
    count, places = 1500, [0, 127, 128, 777, 1499]
    shape = (count, 4, 4000)
    # Zeros that nothing was written to take no room on the disk.
    waveforms = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, shape)
    waveforms[places] = WAVEFORMS[: len(places)]
    waveforms.flush()
    done = predict(model, cwd=tmp_path).check()
    assert "1500 records" in done.stdout
    labels = np.load(tmp_path / "y.npy")
    assert labels.shape == (count, 4000)
    np.testing.assert_allclose(labels[places], expected[: len(places)], atol=1e-6)
    others = np.delete(labels, places, axis=0)
    np.testing.assert_allclose(others, np.broadcast_to(others[0], others.shape), atol=1e-6)
    assert np.abs(others[0] - labels[0]).max() > 1e-3


def test_a_record_that_is_not_finite_is_named_and_the_old_output_stays(model, tmp_path):
    broken = WAVEFORMS.copy()
    broken[9, 2, 77] = np.nan
    np.save(tmp_path / "x.npy", broken)
    np.save(tmp_path / "y.npy", np.arange(3))
    message = predict(model, "--batch_size=4", cwd=tmp_path).refusal()
    assert message.startswith("error: --input: x.npy: record 9 ")
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), np.arange(3))
    assert {path.name for path in tmp_path.iterdir()} == {"x.npy", "y.npy"}


def test_another_shape_is_refused_with_the_one_that_is_wanted(model, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((3, 2, 4000)))
    message = predict(model, cwd=tmp_path).refusal()
    assert message.startswith("error: --input: x.npy has shape (3, 2, 4000)")
    assert "(records, 4, 4000)" in message


@pytest.mark.parametrize("content", ["missing", "text", "objects", "no records", "two axes"])
def test_what_is_no_array_of_numbers_is_refused_before_tensorflow_starts(content, tmp_path):
    path = tmp_path / "x.npy"
    if content == "text":
        path.write_text("1 2 3")
    elif content == "objects":
        np.save(path, np.array([{}, {}], object), allow_pickle=True)
    elif content == "no records":
        np.save(path, np.zeros((0, 4, 4000)))
    elif content == "two axes":
        np.save(path, np.zeros((4, 4000)))
    message = predict("nosuch", cwd=tmp_path).refusal()
    assert message.startswith("error: --input: x.npy ")
    assert not (tmp_path / "y.npy").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--output=x.npy"], "--output: expected another file than --input"),
        (["--interval_output=y.npy"], "--interval_output: expected another file than --output"),
        (["--interval_output=./x.npy"], "--interval_output: expected another file than --input"),
    ],
)
def test_no_output_takes_the_place_of_another_file_of_the_command(flags, message, tmp_path):
    np.save(tmp_path / "x.npy", WAVEFORMS)
    assert message in predict("nosuch", *flags, cwd=tmp_path).refusal()
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), WAVEFORMS)


@pytest.mark.parametrize("flag", ["output", "interval_output"])
@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("there/a.npy", "there is no folder there"),
        (".", "expected the name of a file, got a folder"),
    ],
    ids=["missing", "folder"],
)
def test_an_output_that_cannot_be_written_is_refused(flag, place, message, tmp_path):
    done = predict("nosuch", f"--{flag}={place}", cwd=tmp_path)
    assert f"--{flag}: {message}" in done.refusal()
