"""The README.md of an exported version: what it was trained on, how good it is, how to call it."""

from typing import Any

from tfseq.baselines import TITLES

_METRICS = ("mse", "mae", "r2")


def text(
    name: str,
    waveform_shape: tuple[int, int],
    parameters: int,
    *,
    evaluation: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    dataset: str | None = None,
) -> str:
    """Returns a model card, as Markdown. It says what is known, and that the rest is not.

    Args:
        name: The model.
        waveform_shape: (channels, steps) of its input.
        parameters: How many trainable values it has.
        evaluation: What evaluation.json holds, see `tfseq.evaluator`.
        config: What config.json holds, the settings of the run.
        dataset: The full name of the data set, with its config and version.
    """
    evaluation, config = evaluation or {}, config or {}
    channels, steps = waveform_shape
    sections = [
        f"# {name}\n\nPredicts a label for every time step: `waveform` (records, {channels}, "
        f"{steps}) float32 to `label` (records, {steps}) float32. It has {parameters:,} trainable "
        "parameters.",
        "## Training\n\n" + _training(evaluation, config, dataset),
        "## How good it is\n\n" + _scores(name, evaluation),
        "## Limits\n\n" + _limits(evaluation, channels, steps),
        "## How to call it\n\n" + _calls(name, channels, steps),
    ]
    return "\n\n".join(sections) + "\n"


def _training(evaluation: dict[str, Any], config: dict[str, Any], dataset: str | None) -> str:
    named = dataset or evaluation.get("dataset") or config.get("dataset", {}).get("name")
    splits = config.get("data", {})
    lines = [f"- Data set: {f'`{named}`' if named else 'not recorded'}"]
    if "train_split" in splits:
        lines.append(
            f"- Splits: `{splits['train_split']}` to learn from, "
            f"`{splits['validation_split']}` to choose the epoch"
        )
    if "seed" in config:
        lines.append(f"- Seed: {config['seed']}")
    if config:
        lines += [f"- `{key}`: {value}" for key, value in _settings(config)]
        lines.append("\nAll settings are in `config.json`.")
    return "\n".join(lines)


def _settings(config: dict[str, Any]) -> list[tuple[str, Any]]:
    """Returns the settings of the network and of its training, by the names of their flags."""
    rows = []
    for group in ("model", "optimizer", "transform"):
        for key, value in config.get(group, {}).items():
            if (group, key) != ("model", "name"):
                rows.append((f"{group}.{key}", value))
    rows += [(key, config[key]) for key in ("loss", "epochs", "batch_size") if key in config]
    if config.get("precision", "float32") != "float32":
        rows += [(key, config[key]) for key in ("precision", "serving_precision") if key in config]
    return rows


def _scores(name: str, evaluation: dict[str, Any]) -> str:
    if not evaluation.get("splits"):
        return "It was exported without an evaluation."
    tables = []
    for split, scores in evaluation["splits"].items():
        rows = {f"**{name}**": scores["metrics"]}
        rows |= {TITLES.get(key, key): metrics for key, metrics in scores["baselines"].items()}
        lines = [
            f"`{split}`, {scores['records']} records:",
            "",
            f"| | {' | '.join(_METRICS)} |",
            "| --- |" + " ---: |" * len(_METRICS),
        ]
        for title, metrics in rows.items():
            values = (f"{metrics[key]:.4f}" for key in _METRICS)
            lines.append(f"| {title} | {' | '.join(values)} |")
        if interval := scores.get("interval"):
            lines += [
                "",
                "Its second output `interval` (records, 2, steps), lower and upper ends, holds "
                f"{100 * interval['coverage']:.1f} % of these labels; the mean width is "
                f"{interval['mean_width']:.4g}.",
            ]
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


def _limits(evaluation: dict[str, Any], channels: int, steps: int) -> str:
    lines = [
        f"- It takes records of {channels} channels x {steps} steps and no others, without NaN and "
        "infinity.",
    ]
    if evaluation.get("splits"):
        lines.append("- It was measured on the splits above alone; other data may differ.")
    split, metrics = evaluation.get("split"), evaluation.get("metrics", {})
    better = [
        TITLES.get(key, key)
        for key, scores in evaluation.get("baselines", {}).items()
        if scores["mse"] <= metrics["mse"]
    ]
    if better:
        lines.append(f"- On `{split}` these have an mse as low, or lower: {', '.join(better)}.")
    return "\n".join(lines)


def _calls(name: str, channels: int, steps: int) -> str:
    return f"""\
In Python, from this folder:

    import numpy as np
    import tensorflow as tf

    model = tf.saved_model.load(".")
    waveform = np.zeros((1, {channels}, {steps}), np.float32)
    label = model.signatures["serving_default"](waveform=tf.constant(waveform))["label"]

Through TF Serving, REST, with one list of {channels} x {steps} numbers a record:

    tensorflow_model_server --rest_api_port=8501 --model_name={name} --model_base_path=<folder>
    curl http://localhost:8501/v1/models/{name}:predict -d '{{"instances": [<record>, ...]}}'

`<folder>` is the one that this version lies in, as an absolute path. Signatures:
`serving_default`; `serving_examples`, serialized tf.train.Example with the float32 bytes as feature
`waveform`; `validate`, which also answers records that are not finite and marks them in `valid`."""
