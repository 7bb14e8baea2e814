"""Measures the speed of tfseq beside PyTorch and writes it to benchmarks/results/<machine>.json.

  python -m benchmarks.run
  python -m benchmarks.run --sections=training,inference --models=cnn --turns=2
  python -m benchmarks.run --data_dir=data --machine=laptop
  python -m benchmarks.run --sections=training --models=mlp --without='PyTorch bfloat16'
  python -m benchmarks.run --backend=jax --sections=training,inference

All of it takes half an hour or more on 2 cores. The memory of the full MLP, 4 GB for each of its
six contenders at once, has to be there, or --without leaves some of them out. --backend=jax
measures the models on Keras's JAX backend beside PyTorch, on a GPU if there is one, and needs no
TensorFlow. Each result is written as soon as it is there, and docs/performance.md from all results
at the end.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from benchmarks.contenders import BACKENDS, OPTIONAL
from tfseq import atomic_file, cli
from tfseq.errors import UserError

Measured = Iterator[dict[str, Any]]  # of a section's results, each as soon as it is there

FLAGS = flags.FLAGS
SECTIONS = ("training", "inference", "scaling", "reading", "epochs", "memory")
MODELS = ("cnn", "resnet", "conv_ae", "mlp", "seqnet")
_RESULTS = Path(__file__).with_name("results")
_BATCH_SIZES = (32, 64, 128, 256)
_STEPS = (1000, 4000, 16000, 64000)


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_list("sections", list(SECTIONS), f"What to measure: {', '.join(SECTIONS)}.")
    flags.DEFINE_enum("backend", "tensorflow", BACKENDS, "Keras's backend.")
    flags.DEFINE_list("models", list(MODELS), f"Models to time: {', '.join(MODELS)}.")
    flags.DEFINE_multi_enum(
        "without", [], OPTIONAL, "A contender to leave out; can be given several times."
    )
    flags.DEFINE_integer("batch_size", 128, "Records a training step.")
    flags.DEFINE_integer("turns", 5, "Turns of each contender.")
    flags.DEFINE_integer("steps", 3, "Steps of a turn that count.")
    flags.DEFINE_string("data_dir", None, "Folder of the data sets.")
    flags.DEFINE_string("machine", None, "Name of the results file [processor and cores].")
    flags.DEFINE_string("results_dir", str(_RESULTS), "Folder of the results files.")


def main() -> None:
    """Runs the command."""
    _require_known("sections", SECTIONS)
    _require_known("models", MODELS)
    if FLAGS.backend == "jax":
        from benchmarks import accelerator as machine
    else:
        cli.import_tensorflow()
        from benchmarks import machine
    from benchmarks import report

    described = machine.describe()
    described["name"] = name = FLAGS.machine or machine.name(described)
    file_name = "-".join(re.findall(r"[a-z0-9.]+", name.lower()))
    path = Path(FLAGS.results_dir, f"{file_name}.json")
    # Sections that are not asked for keep what was measured before.
    results = json.loads(path.read_text()) if path.is_file() else {}
    results["machine"] = described
    for section in FLAGS.sections:
        print(f"{section}:", flush=True)
        for found in _MEASURES[section](described):
            results.setdefault(section, {}).update(found)
            atomic_file.write(path, json.dumps(results, indent=1) + "\n")
    print(f"written: {path}", flush=True)
    if path.parent == _RESULTS:
        report.write()


def _require_known(flag: str, known: Sequence[str]) -> None:
    """Refuses what cannot be measured, before the rest of it is."""
    for each in FLAGS[flag].value:
        if each not in known:
            raise UserError(f"--{flag}: there is no {each!r}; there are {', '.join(known)}")


def _training(described: dict[str, Any]) -> Measured:
    from benchmarks import contenders, machine

    for model, times in _compared("training", FLAGS.batch_size, FLAGS.steps):
        floor = machine.floor(contenders.network(model), FLAGS.batch_size, described)
        yield {model: {"batch_size": FLAGS.batch_size, "times": times, "floor": floor}}


def _inference(described: dict[str, Any]) -> Measured:
    del described
    calls = [("inference", batch_size) for batch_size in dict.fromkeys((FLAGS.batch_size, 1))]
    if FLAGS.backend == "jax":
        calls.append(("labelling", FLAGS.batch_size))
    for what, batch_size in calls:
        steps = FLAGS.steps * (1 if batch_size > 1 else 20)
        in_a_row = ", in a row" if what == "labelling" else ""
        for model, times in _compared(what, batch_size, steps):
            yield {f"{model}, batch {batch_size}{in_a_row}": {"times": times}}


def _compared(what: str, batch_size: int, steps: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Times all contenders of each model: those of all models at once where they start at once."""
    from benchmarks import contenders, turns

    backend = FLAGS.backend
    rounds = [FLAGS.models] if backend == "jax" else [[model] for model in FLAGS.models]
    for together in rounds:
        all_sides = {
            (model, side): (what, side, model, batch_size, backend)
            for model in together
            for side in contenders.sides(model, training=what == "training", backend=backend)
            if side not in FLAGS.without
        }
        timed = turns.compare(all_sides, steps=steps, turns=FLAGS.turns, backend=backend)
        for model in together:
            times = {side: each for (of, side), each in timed.items() if of == model}
            _print(f"{what}, {model}, batch {batch_size}", times)
            yield model, times


def _scaling(described: dict[str, Any]) -> Measured:
    del described
    from benchmarks import turns

    for model in sorted({"cnn", "resnet", "conv_ae"} & set(FLAGS.models)):
        by_batch = {str(n): ("training", "tfseq", model, n) for n in _BATCH_SIZES}
        by_steps = {str(n): ("training", "tfseq", model, 16, "tensorflow", n) for n in _STEPS}
        times = {}
        for what, sides in (("batch_size", by_batch), ("steps", by_steps)):
            print(f"  {model} by {what}:", flush=True)
            times[what] = turns.compare(sides, steps=FLAGS.steps, turns=3)
            _print(f"training, {model}, by {what}", times[what])
        yield {model: times}


def _reading(described: dict[str, Any]) -> Measured:
    del described
    from benchmarks import pipeline

    rates = pipeline.reading(FLAGS.data_dir)
    for name, rate in rates.items():
        print(f"  {name}: {rate:.0f} records/s", flush=True)
    yield {"records_per_second": rates}


def _epochs(described: dict[str, Any]) -> Measured:
    del described
    from benchmarks import pipeline

    seconds = pipeline.first_step(FLAGS.data_dir)
    print(f"  first step after {seconds:.1f} s", flush=True)
    yield {"first_step_seconds": seconds}
    for model in sorted({"cnn", "resnet", "conv_ae"} & set(FLAGS.models)):
        yield {model: pipeline.epochs(model, FLAGS.data_dir, FLAGS.turns)}


def _memory(described: dict[str, Any]) -> Measured:
    del described
    from benchmarks import pipeline

    for model in FLAGS.models:
        gigabytes = pipeline.memory(model, FLAGS.data_dir)
        print(f"  {model}: {gigabytes:.1f} GB", flush=True)
        yield {model: gigabytes}


def _print(title: str, times: dict[str, dict[str, Any]]) -> None:
    print(title)
    for side, each in times.items():
        print(f"  {side:<32}{each['milliseconds']:>10.2f} ms", flush=True)


_MEASURES = {
    "training": _training,
    "inference": _inference,
    "scaling": _scaling,
    "reading": _reading,
    "epochs": _epochs,
    "memory": _memory,
}

if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
