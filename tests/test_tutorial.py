"""docs/tutorial.ipynb runs from top to bottom, and what it says is so."""

import copy
import re
from types import SimpleNamespace

import command
import keras
import numpy as np
import pytest
import tutorial

from tfseq import checkpoint_files, evaluator, pusher

_NUMBER = re.compile(r"[-+]?\d[\d.,]*(e[-+]\d+)?")


def code_cells(notebook):
    """Returns the code cells by their ids."""
    return {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}


COMMITTED = code_cells(tutorial.read())


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The folder that the notebook made, and its cells after one run and after another one."""
    folder = tmp_path_factory.mktemp("notebook")
    with tutorial.kernel(folder) as execute:
        first = copy.deepcopy(execute())
        again = execute()
    return SimpleNamespace(
        folder=folder / "tutorial", first=code_cells(first), again=code_cells(again)
    )


def without_numbers(text):
    return " ".join(_NUMBER.sub("#", text).split())


def test_the_committed_file_was_executed_from_top_to_bottom_and_names_no_machine():
    counts = [cell.execution_count for cell in COMMITTED.values()]
    assert counts == list(range(1, len(COMMITTED) + 1))
    assert len(counts) > 9
    outputs = [output for cell in COMMITTED.values() for output in cell.outputs]
    assert {output.output_type for output in outputs} == {"stream", "display_data"}
    assert {output.name for output in outputs if output.output_type == "stream"} == {"stdout"}
    assert not re.search(r"(?<![\w.])/\w", "".join(map(tutorial.text, COMMITTED.values())))
    notebook = tutorial.read()
    assert not any(cell.metadata for cell in notebook.cells)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.language_info == {"name": "python"}
    assert tutorial.NOTEBOOK.stat().st_size < 400_000


@pytest.mark.parametrize("cell", COMMITTED)
def test_the_committed_outputs_are_what_the_code_prints_but_for_the_numbers(cell, ran):
    committed, fresh = COMMITTED[cell], ran.first[cell]
    assert without_numbers(tutorial.text(fresh)) == without_numbers(tutorial.text(committed))
    kinds = [
        [sorted(output.get("data", ())) for output in each.outputs] for each in (committed, fresh)
    ]
    assert kinds[0] == kinds[1]


def test_the_network_beats_the_baselines(ran):
    test = command.tables(tutorial.text(ran.first["score"]))["test"]
    errors = {name: mse for name, (mse, _, _) in test.items()}
    assert errors["seqnet"] < 0.5 * errors["linear, step by step"]
    assert errors["linear, step by step"] < 0.5 * errors["predict the mean"]
    exported = command.read_json(ran.folder / "saved_models" / "seqnet" / "1" / "evaluation.json")
    assert exported["metrics"]["mse"] == pytest.approx(errors["seqnet"], abs=1e-4)


def test_another_process_answers_what_the_model_does(ran):
    model = keras.models.load_model(checkpoint_files.best(ran.folder / "run" / "checkpoints"))
    expected = evaluator.predictor(model)(np.load(ran.folder / "x.npy"))
    assert expected.shape == (100, 4000)
    for version in (1, 2):
        labels = np.load(ran.folder / f"labels_of_version_{version}.npy")
        np.testing.assert_allclose(labels, expected, rtol=0, atol=1e-4)
    assert "same labels as the model: True" in tutorial.text(ran.first["load"])


def test_a_broken_record_is_named(ran):
    assert tutorial.text(ran.first["broken"]).split("\n")[:2] == [
        "validate:        [ True False  True]",
        "serving_default: waveform: record 1 is nan at channel 2, step 77; expected finite numbers",
    ]


def test_a_second_run_trains_no_more_and_exports_the_same_model_as_the_next_version(ran):
    assert "epoch 12/12" in tutorial.text(ran.first["train"])
    assert "12 epochs are done" in tutorial.text(ran.again["train"])
    assert "epoch 12/12" not in tutorial.text(ran.again["train"])
    assert tutorial.text(ran.again["score"]) == tutorial.text(ran.first["score"])
    assert pusher.versions(ran.folder / "saved_models" / "seqnet") == [1, 2]
    beside = {path.name for path in ran.folder.parent.iterdir()}
    assert beside == {"tutorial", "ipython"}
