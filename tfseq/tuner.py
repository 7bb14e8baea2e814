"""Where TFX finds what its Tuner does."""

from typing import Any


def tuner_fn(fn_args: Any) -> Any:
    """Returns the search around a model's settings; TFX's Tuner calls this, and then runs it.

    Args:
        fn_args: TFX's FnArgs. Read are `train_files`, `eval_files`, `data_accessor`,
            `transform_graph_path` and `custom_config`. That has the settings, as for
            `tfseq.trainer.run_fn`, and may have {"search": {"kind": "random", "max_trials": 30}}.

    Returns:
        A tuple of `tuner`, a `keras_tuner.Tuner`, and `fit_kwargs`.

    Raises:
        UserError: If settings and records do not fit each other, or TFX is not installed.
    """
    from tfseq.tfx import installation

    installation.require()
    from tfseq.tfx import search

    return search.of(fn_args)
