"""What the figures are tested with, and their pictures in baseline/.

After a change that was meant, and with another matplotlib:  python tests/figures/pictures.py
"""

from pathlib import Path

import matplotlib
import numpy as np

from tfseq.figures import correlation, labels, samples, style, training
from tfseq.figures.content import Errors, Names, Prediction, Record, ThinnedLabels

BASELINE = Path(__file__).with_name("baseline")
DOTS_PER_INCH = 60
DRAWN_WITH = BASELINE / "matplotlib_version.txt"
STEPS = 600

NAMES = Names(("one", "two", "three", "four"), "force (N)", "label (m)", "time (ms)")
WHERE = "a_data_set, train, record 3 (set1/3)"

_random = np.random.default_rng(0)
_phase = np.linspace(0, 6 * np.pi, STEPS)
LABEL = (2 + 2 * np.sin(_phase)).astype(np.float32)
NOISE = _random.normal(size=(4, STEPS))
WAVEFORM = np.stack(
    [
        0.05 * LABEL + 0.01 * NOISE[0],
        0.05 * LABEL + 0.01 * NOISE[1],
        0.1 * LABEL * NOISE[2],
        0.3 + 0.05 * NOISE[3],
    ]
).astype(np.float32)
OTHER = np.stack([WAVEFORM[0], -WAVEFORM[0], np.full(STEPS, 0.5, np.float32), WAVEFORM[3]])
OTHER[3, :7] = np.nan

LABELS = (2 + 2 * np.sin(_phase + _random.uniform(0, 7, (300, 1)))).astype(np.float32)
THINNED = ThinnedLabels(LABELS[:, ::2], np.arange(0, STEPS, 2), len(LABELS))

LOSSES = np.array([5.0, 3.0, 1.5, 0.9, 0.7, 0.65])
VALIDATION = np.array([4.5, 2.5, 1.4, 1.0, 0.8, 0.85])
LEVELS = {"zero": 5.3, "mean": 1.3}

BY_STEP = 1 + 0.5 * np.sin(_phase) + 0.1 * _random.uniform(size=STEPS)
BY_RECORD = _random.gamma(4, 0.25, 60)
GROUPS = tuple(f"{number % 7 + 1}N" for number in range(60))
ERRORS = Errors(BY_STEP, BY_RECORD, GROUPS)
SINGLE = Errors(BY_STEP, BY_RECORD, tuple(map(str, range(60))))


def prediction(title, mse, shift):
    record = Record("a_data_set, test", f"record {shift} (set1/{shift})", "1N", WAVEFORM, LABEL)
    return Prediction(title, record, np.roll(LABEL, 10 * shift), mse)


PREDICTIONS = (prediction("best", 0.1, 1), prediction("median", 0.5, 3), prediction("worst", 2, 9))
RUN = "cnn on a_data_set, test"

PICTURES = {
    "1": lambda: samples.line_plot(WAVEFORM, NAMES, WHERE),
    "1_defects": lambda: samples.line_plot(OTHER, NAMES, WHERE),
    "2": lambda: samples.histogram(WAVEFORM, NAMES, WHERE),
    "3": lambda: correlation.between_channels(
        (WAVEFORM, OTHER), NAMES, ("record 3", "record 5"), "a_data_set, train"
    ),
    "4": lambda: samples.distributions(WAVEFORM, NAMES, WHERE),
    "4_defects": lambda: samples.distributions(OTHER, NAMES, WHERE),
    "5": lambda: labels.overview(THINNED, LABEL, NAMES, WHERE),
    "5_lines": lambda: labels.overview(THINNED, LABEL, NAMES, WHERE, raw_lines=True),
    "6": lambda: samples.pair_plot(WAVEFORM, LABEL, NAMES, WHERE),
    "7": lambda: correlation.with_label(WAVEFORM, LABEL, NAMES, WHERE),
    "8": lambda: training.loss_curves(LOSSES, VALIDATION, LEVELS, "mean squared error", RUN),
    "9": lambda: training.predictions(PREDICTIONS, NAMES, RUN),
    "10": lambda: training.errors(ERRORS, NAMES, RUN, 1.3),
    "10_single": lambda: training.errors(SINGLE, NAMES, RUN),
}


def draw(name, folder):
    """Draws one picture into a folder and returns its path."""
    path = folder / f"figure_{name}.png"
    style.save(PICTURES[name](), path, DOTS_PER_INCH)
    return path


def matplotlib_version():
    """Returns major and minor: another one sets text of another size, so the axes move."""
    return matplotlib.__version__.rpartition(".")[0]


if __name__ == "__main__":
    DRAWN_WITH.write_text(matplotlib_version() + "\n")
    for each in PICTURES:
        print(draw(each, BASELINE))
