r"""Measures an exported model beside the baselines.

  python -m tfseq.evaluate --saved_model=saved_models/cnn/1 --dataset=simulated_emg --split=test
  python -m tfseq.evaluate --saved_model=saved_models/cnn/1 --dataset=emg_lower_limb \
      --manual_dir=emg --split=validation

Settings of the data set (--config.dataset.* in training) are those beside the model, if it was
trained on that data set. The baselines are fitted to the records that it was trained on, otherwise
to the split train.
"""

from absl import flags

from tfseq import cli

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("saved_model", None, "Version folder of an exported model.")
    cli.define_data_flags()
    flags.DEFINE_string("split", "test", "Split to score, such as test or validation[:100].")
    flags.DEFINE_integer("batch_size", 128, "Records at a time.", lower_bound=1)
    flags.DEFINE_string("output", None, "Also write the result to this JSON file.")


def main() -> None:
    """Runs the command."""
    cli.require("saved_model", "dataset")
    cli.import_tensorflow()
    from pathlib import Path

    from tfseq import datasets, evaluator, record_integrity
    from tfseq.errors import UserError
    from tfseq.example_gen import Split
    from tfseq.saved_model import SavedModel

    model = SavedModel(FLAGS.saved_model)
    settings, fitted_to = model.config.get("dataset", {}), "train"
    if settings.pop("name", None) == FLAGS.dataset:
        fitted_to = model.config.get("data", {}).get("train_split", fitted_to)
    else:
        settings = {}
    builder = datasets.load(
        FLAGS.dataset, data_dir=FLAGS.data_dir, manual_dir=FLAGS.manual_dir, **settings
    )
    scored = Split(builder, FLAGS.split)
    if scored.waveform_shape != model.waveform_shape:
        raise UserError(
            f"--dataset: {FLAGS.dataset} has waveforms of {scored.waveform_shape}, "
            f"the model wants {model.waveform_shape} (channels, steps)"
        )
    with record_integrity.named(builder):
        splits = evaluator.evaluate(
            model.predict,
            Split(builder, fitted_to),
            [scored],
            half_width=model.half_width if model.has_intervals else None,
            batch_size=FLAGS.batch_size,
        )
    name = model.config.get("model", {}).get("name", FLAGS.saved_model)
    evaluation = evaluator.summary(
        splits, model=name, dataset=FLAGS.dataset, export=FLAGS.saved_model
    )
    print(evaluator.table(evaluation))
    if FLAGS.output:
        evaluator.write(evaluation, Path(FLAGS.output))


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
