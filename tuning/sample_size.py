r"""Draws the report's figures 8 to 11: a model's losses by the size of its test set.

  python -m tfseq.tuning.sample_size --model=cnn
  python -m tfseq.tuning.sample_size --model=resnet --sizes=15,20,30,40,60,80,100,150,200 --seeds=5
  python -m tfseq.tuning.sample_size --model=mlp --width_fraction=0.1 --dataset=emg_lower_limb \
      --manual_dir=emg

So many records of the training split are held out, chosen by the seed, and the rest is trained on.
The figure shows mean and standard deviation over the seeds, and a band: how far the loss of the
largest test set would spread by the choice of so few records alone, by bootstrap.

Writes sample_size.json and a figure to <workdir>/<data set>/<model>/sample-size. Started again, it
runs what has not been run.
"""

import json

from absl import flags

from tfseq import atomic_file, cli
from tfseq.errors import UserError
from tfseq.tuning import distribution, options, results, sizes
from tfseq.tuning.study import Study

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("model", "cnn", "Model: any that tfseq.train takes [cnn].")
    default = ",".join(map(str, sizes.SIZES))
    flags.DEFINE_list("sizes", default, f"Records in the test set [{default}].")
    options.define_flags()


def main() -> None:
    """Runs the command."""
    try:
        given_sizes = [int(size) for size in FLAGS.sizes]
    except ValueError:
        raise UserError(
            f"--sizes: expected whole numbers such as 15,20,30, got {','.join(FLAGS.sizes)}"
        ) from None
    study = sizes.sample_size(FLAGS.model, given_sizes)
    given = options.from_flags()
    cli.require_writable("--workdir", given.workdir)
    distribution.check_environment()
    cli.import_tensorflow()
    from tfseq.tuning import running

    running.run([study], given)
    _draw(study, given)


def _draw(study: Study, given: options.Options) -> None:
    from tfseq.figures import style
    from tfseq.tuning import figures, sampling

    folder = given.folder(study)
    found = sampling.summarize(study, results.read(folder))
    facts = {"model": study.model, "dataset": given.dataset, "width_fraction": given.width_fraction}
    path = folder / "sample_size.json"
    atomic_file.write(path, json.dumps(facts | found.to_json(), indent=2) + "\n")
    number = sizes.FIGURES.get(study.model)
    width = f", width {given.width_fraction:g}" if study.model == "mlp" else ""
    where = f"{study.model} on {given.dataset}{width}"
    figure = figures.sample_size(
        number, f"Loss by test-set size\n{where}", found, given.settings.get("loss", "mse")
    )
    picture = folder / f"{f'figure_{number}_' if number else ''}sample_size.png"
    style.save(figure, picture, 150)
    print(f"\n{found.table()}\n\n{picture}\n{path}")


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
