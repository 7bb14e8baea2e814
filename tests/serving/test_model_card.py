"""A card says what the evaluation and the settings say, and no more."""

import re

import pytest

from tfseq.serving import model_card

METRICS = {"mse": 0.25, "mae": 0.4, "r2": 0.75}
SPLITS = {
    "test": {
        "records": 20,
        "metrics": METRICS,
        "baselines": {
            "zero": {"mse": 5.0, "mae": 2.0, "r2": -3.0},
            "linear": {"mse": 0.125, "mae": 0.3, "r2": 0.9},
        },
        "interval": {"coverage": 0.7915, "mean_width": 0.25},
    }
}
EVALUATION = {
    "model": "cnn",
    "dataset": "simulated_emg",
    "split": "test",
    "metrics": METRICS,
    "baselines": SPLITS["test"]["baselines"],
    "splits": SPLITS,
}
CONFIG = {
    "model": {"name": "cnn", "filters": [2, 3, 4]},
    "optimizer": {"name": "sgd", "learning_rate": 0.001},
    "loss": "mse",
    "epochs": 10,
    "batch_size": 128,
    "seed": 7,
    "data": {"train_split": "train[:90%]", "validation_split": "train[90%:]"},
    "precision": "mixed_bfloat16",
}


@pytest.fixture(scope="module")
def card():
    return model_card.text(
        "cnn",
        (4, 4000),
        199,
        evaluation=EVALUATION,
        config=CONFIG,
        dataset="simulated_emg/default/1.0.0",
    )


@pytest.mark.parametrize(
    "fact",
    [
        "- Data set: `simulated_emg/default/1.0.0`",
        "- Splits: `train[:90%]` to learn from, `train[90%:]` to choose the epoch",
        "- Seed: 7",
        "lower and upper ends, holds 79.1 % of these labels; the mean width is 0.25.",
        "- `model.filters`: [2, 3, 4]",
        "- `optimizer.learning_rate`: 0.001",
        "- `batch_size`: 128",
        "- `precision`: mixed_bfloat16",
        "`test`, 20 records:",
        "| **cnn** | 0.2500 | 0.4000 | 0.7500 |",
        "| predict zero | 5.0000 | 2.0000 | -3.0000 |",
        "- On `test` these have an mse as low, or lower: linear, step by step.",
        "`waveform` (records, 4, 4000) float32 to `label` (records, 4000) float32",
        "199 trainable parameters",
        "http://localhost:8501/v1/models/cnn:predict",
    ],
)
def test_the_card_says(fact, card):
    assert fact in card


def test_the_python_that_it_shows_is_python(card):
    code = re.findall(r"^    (.*)$", card.partition("Through TF Serving")[0], re.MULTILINE)
    assert len(code) == 5
    compile("\n".join(code), "card", "exec")


def test_what_is_not_known_is_said_to_be_unknown():
    card = model_card.text("mlp", (2, 30), 5)
    assert "- Data set: not recorded" in card
    assert "exported without an evaluation" in card
    assert "Seed" not in card
    assert "measured" not in card
