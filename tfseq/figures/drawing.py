"""From a data set or a run to its figures, one at a time."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from matplotlib.figure import Figure

from tfseq.example_gen import Split
from tfseq.figures import correlation, labels, records, run, samples, training
from tfseq.figures.content import Prediction

_BATCH_SIZE = 64


def of_data_set(
    builder: tfds.core.DatasetBuilder,
    split_name: str,
    positions: str | None = None,
    *,
    raw_lines: bool = False,
) -> Iterator[tuple[str, Figure]]:
    """Yields the figures 1 to 7 with the names of their files.

    Args:
        builder: A data set on disk.
        split_name: Where the records are.
        positions: The two records, see `records.choose`; most figures show the first.
        raw_lines: Draw all labels as lines, not as bands.

    Raises:
        UserError: If there is no such split or record.
    """
    split = Split(builder, split_name)
    chosen = records.choose(positions, split)
    found, thinned = records.sweep(split, chosen)
    names = records.names(builder)
    one, other = (found[position] for position in chosen)
    yield "figure_1_line_plot", samples.line_plot(one.waveform, names, one.where)
    yield "figure_2_histogram", samples.histogram(one.waveform, names, one.where)
    pair, titles = (one.waveform, other.waveform), (one.title, other.title)
    between = correlation.between_channels(pair, names, titles, one.source)
    yield "figure_3_correlation", between
    yield "figure_4_distributions", samples.distributions(one.waveform, names, one.where)
    overview = labels.overview(thinned, one.label, names, one.where, raw_lines=raw_lines)
    yield "figure_5_labels", overview
    content = (one.waveform, one.label, names, one.where)
    yield "figure_6_pair_plot", samples.pair_plot(*content)
    yield "figure_7_correlation_with_label", correlation.with_label(*content)


def of_run(
    finished: run.Run, builder: tfds.core.DatasetBuilder, split_name: str | None = None
) -> Iterator[tuple[str, Figure]]:
    """Yields the figures 8 to 10 with the names of their files.

    Args:
        finished: The run.
        builder: Its data set on disk.
        split_name: The records to predict; those that evaluation.json scores first if None.

    Raises:
        UserError: If there is no such split, or the model does not load or fit.
    """
    model = f"{finished.evaluation['model']} on {builder.name}"
    validation = f"{model}; levels on {finished.config['data']['validation_split']}"
    split = Split(builder, split_name or finished.evaluation["split"])
    names = records.names(builder)
    curves = training.loss_curves(
        *finished.curves(), finished.levels(), _QUANTITIES[finished.loss], validation
    )
    yield "figure_8_loss", curves
    predict = run.load_model(finished, split.waveform_shape)
    batches = split.examples().batch(_BATCH_SIZE).prefetch(1).as_numpy_iterator()
    found = run.measure(predict, batches, split.waveform_shape[1])
    where = f"{model}, {split.name} ({split.num_records} records)"
    chosen = _best_median_worst(predict, split, found.by_record)
    yield "figure_9_predictions", training.predictions(chosen, names, where)
    level = finished.mean_level(split.name)
    yield "figure_10_errors", training.errors(found, names, where, level)


_QUANTITIES = {"mse": "mean squared error", "mae": "mean absolute error"}


def _best_median_worst(predict: run.Predictor, split: Split, mse: np.ndarray) -> list[Prediction]:
    order = np.argsort(mse, kind="stable")
    places = {"best": order[0], "median": order[(len(order) - 1) // 2], "worst": order[-1]}
    found = records.read(split, {int(place) for place in places.values()})
    chosen = []
    for title, place in places.items():
        record = found[int(place)]
        predicted = predict(record.waveform[np.newaxis])[0]
        chosen.append(Prediction(title, record, predicted, float(mse[place])))
    return chosen


def data_set_of(
    finished: run.Run, data_dir: str | Path | None, manual_dir: str | Path | None
) -> tfds.core.DatasetBuilder:
    """Returns the data set that a run was trained on.

    Raises:
        UserError: If it cannot be built.
    """
    from tfseq import datasets

    settings = dict(finished.config["dataset"])
    name = settings.pop("name")
    return datasets.load(name, data_dir=data_dir, manual_dir=manual_dir, **settings)
