"""An exported model is measured as it was when it was trained."""

import command
import numpy as np
import pytest


@pytest.fixture(scope="module")
def run(trained):
    """A finished run of the CNN."""
    finished = trained("cnn").result()
    finished.finished.check()
    return finished


def evaluate(run, data_dir, *arguments, cwd):
    return command.run(
        "evaluate",
        f"--data_dir={data_dir}",
        f"--saved_model={run.export_dir / 'cnn' / '1'}",
        *arguments,
        cwd=cwd,
    )


def test_the_numbers_are_those_of_training(run, data_dir, tmp_path):
    done = evaluate(
        run, data_dir, "--dataset=simulated_emg", "--output=scores.json", cwd=tmp_path
    ).check()
    assert done.stderr == ""
    expected = command.read_json(run.workdir / "evaluation.json")
    written = command.read_json(tmp_path / "scores.json")
    assert list(written) == list(expected)
    assert (written["model"], written["split"]) == ("cnn", "test")
    for name, metrics in expected["baselines"].items():
        assert written["baselines"][name] == pytest.approx(metrics, rel=1e-9)
    assert written["metrics"] == pytest.approx(expected["metrics"], rel=1e-5)
    printed = command.tables(done.stdout)["test"]
    assert printed["cnn"][0] == pytest.approx(expected["metrics"]["mse"], abs=1e-4)


def test_a_part_of_another_split_can_be_scored(run, data_dir, tmp_path):
    part = "--split=validation[:5]"
    done = evaluate(run, data_dir, "--dataset=simulated_emg", part, cwd=tmp_path).check()
    assert "validation[:5] (5 records)" in done.stdout


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("nosuch", "expected a version folder such as saved_models/cnn/1"),
        ("exports/cnn", "it holds versions 1"),
    ],
)
def test_a_folder_without_a_model_is_refused(run, folder, expected, tmp_path):
    path = run.export_dir.parent / folder
    done = command.run("evaluate", f"--saved_model={path}", "--dataset=simulated_emg", cwd=tmp_path)
    assert expected in done.refusal()


def test_an_unknown_split_is_refused_with_those_that_there_are(run, data_dir, tmp_path):
    done = evaluate(run, data_dir, "--dataset=simulated_emg", "--split=nosuch", cwd=tmp_path)
    assert "no split 'nosuch' as it was built; it has train, validation, test" in done.refusal()


def test_a_model_of_another_signature_is_refused(tmp_path):
    import tensorflow as tf

    module = tf.Module()
    module.double = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec([], tf.float32)])
    tf.saved_model.save(module, str(tmp_path / "other"), signatures=module.double)
    done = command.run("evaluate", "--saved_model=other", "--dataset=simulated_emg", cwd=tmp_path)
    assert "serving_default(waveform) -> label" in done.refusal()


def test_records_of_another_size_are_refused(run, data_dir, tmp_path):
    random = np.random.default_rng(0)
    sets = tmp_path / "sets"
    sets.mkdir()
    np.savez(sets / "set1.npz", x=random.random((40, 2, 100)), y=random.uniform(0, 4, (40, 100)))
    done = command.run(
        "evaluate",
        f"--saved_model={run.export_dir / 'cnn' / '1'}",
        "--dataset=record_sets",
        f"--manual_dir={sets}",
        "--data_dir=data",
        cwd=tmp_path,
    )
    assert "(2, 100)" in done.refusal()
    assert "(4, 4000)" in done.stderr


@pytest.mark.parametrize("flag", ["--saved_model=x", "--dataset=simulated_emg"])
def test_a_missing_flag_is_named(flag, tmp_path):
    missing = "--dataset" if flag.startswith("--saved_model") else "--saved_model"
    assert f"{missing} is missing" in command.run("evaluate", flag, cwd=tmp_path).refusal()
