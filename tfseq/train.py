"""Trains a model, measures it beside the baselines and exports it for TF Serving.

  python -m tfseq.train --model=seqnet
  python -m tfseq.train --model=cnn --config.model.layout=time --config.optimizer.name=adam
  python -m tfseq.train --config_name=resnet_time
  python -m tfseq.train --config_file=best_config.json --dataset=record_sets --manual_dir=sets
  python -m tfseq.train --model=resnet --dataset=emg_lower_limb --manual_dir=emg --epochs=20
  python -m tfseq.train --model=mlp --config.model.hidden_units=800,600,400 --batch_size=64
  python -m tfseq.train --model=cnn --config.data.train_split='train[:10%]' --workdir=runs/tenth

Started again, it goes on where the run in the workdir stands. Ctrl-C saves and stops.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags
from ml_collections import ConfigDict

from tfseq import cli, config_flags

if TYPE_CHECKING:
    from tensorflow_datasets.core import DatasetBuilder

    from tfseq import measure, trainer

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags."""
    config_flags.define()
    cli.define_data_flags()
    flags.DEFINE_string(
        "workdir", None, "Folder of the run [runs/<dataset>/<config_name, else model>]."
    )
    flags.DEFINE_string(
        "export_dir", "saved_models", "The model goes to <export_dir>/<model>/<version>."
    )
    flags.DEFINE_integer(
        "keep_versions", None, "Exported versions to keep, the newest [all].", lower_bound=1
    )


def main() -> None:
    """Runs the command."""
    config = config_flags.settings()
    name = config_flags.run_name(config)
    workdir = Path(FLAGS.workdir or Path("runs", config.dataset.name, name))
    cli.require_writable("--workdir", workdir)
    cli.require_writable("--export_dir", Path(FLAGS.export_dir, config.model.name))

    cli.import_tensorflow()
    from tfseq import record_integrity, workers

    # Several workers have to connect before TensorFlow does anything else.
    team = workers.of(config)
    with team.one_by_one():
        builder = _builder(config, workdir)
    with record_integrity.named(builder):
        _train(config, builder, workdir)


def _train(config: ConfigDict, builder: "DatasetBuilder", workdir: Path) -> None:
    """Trains, measures and exports."""
    from tfseq import checkpoint, measure, trainer, workers
    from tfseq.example_gen import Split

    team = workers.of(config)
    training = Split(builder, config.data.train_split)
    validation = Split(builder, config.data.validation_split)
    scored = [validation]
    if "test" in builder.info.splits:
        scored.append(Split(builder, "test"))
    try:
        result = trainer.train(config, training, validation, workdir)
    except checkpoint.Interrupted:
        saved = f"The run is saved in {workdir}; the same command goes on from there."
        print(f"\nStopped. {saved if team.writes else 'The chief saves the run.'}")
        raise SystemExit(130) from None
    if not team.writes:
        print("The chief measures and exports the model.")
        return
    measured = measure.measure(config, result, training, validation, scored, workdir)
    _finish(config, workdir, builder.info.full_name, result, measured)


def _builder(config: ConfigDict, workdir: Path) -> "DatasetBuilder":
    """Returns the builder of the data set; builds its records if need be."""
    from tfseq import datasets, record_salvage

    settings = config.dataset.to_dict()
    builder = datasets.load(
        settings.pop("name"), data_dir=FLAGS.data_dir, manual_dir=FLAGS.manual_dir, **settings
    )
    if config.data.on_corrupt == "skip":
        return record_salvage.salvaged(builder, workdir / "salvaged")
    return builder


def _finish(
    config: ConfigDict,
    workdir: Path,
    dataset: str,
    result: "trainer.Result",
    measured: "measure.Measured",
) -> None:
    """Exports the model, unless this run already has, and says how good it is."""
    from tfseq import evaluator, pusher

    path = workdir / "evaluation.json"
    base = Path(FLAGS.export_dir, config.model.name)
    export = None
    if path.is_file() and not result.trained:
        export = pusher.pushed(base, evaluator.read(path).get("export"), config.to_dict())
    if not export:
        export = pusher.push(
            measured.model,
            base,
            measured.documents,
            half_width=measured.half_width,
            dataset=dataset,
            keep_versions=FLAGS.keep_versions,
        )
    evaluation = measured.evaluation | {"export": str(export)}
    evaluator.write(evaluation, path)
    print(f"\n{evaluator.table(evaluation)}\n")
    print(f"Epoch {result.best_epoch} of {result.epochs} has the lowest validation loss.")
    print(f"Logs, checkpoints and evaluation.json: {workdir}")
    print(f"Exported for TF Serving: {export}")


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
