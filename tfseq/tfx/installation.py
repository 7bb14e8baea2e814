"""Whether TFX is there, whole. It is a large environment of its own, which tfseq does not need."""

import importlib
from collections.abc import Iterable

from tfseq import cli
from tfseq.errors import UserError

_INSTALL = "`make tfx` installs it into .venv-tfx, whose python then runs this command"
_MODULES = {
    "ImportExampleGen": "example_gen.import_example_gen.component",
    "StatisticsGen": "statistics_gen.component",
    "ImportSchemaGen": "schema_gen.import_schema_gen.component",
    "ExampleValidator": "example_validator.component",
    "Transform": "transform.component",
    "Tuner": "tuner.component",
    "Trainer": "trainer.component",
    "Evaluator": "evaluator.component",
    "InfraValidator": "infra_validator.component",
    "Pusher": "pusher.component",
}
"""Where TFX defines the components that a pipeline may use."""
OPTIONAL = ("Tuner", "InfraValidator")


def require(optional: Iterable[str] = ()) -> None:
    """Imports TFX, and refuses one that lacks a component.

    Args:
        optional: Those of `OPTIONAL` that the pipeline uses.

    Raises:
        UserError: If TFX is not installed, or has replaced a component by None, as it does without
            a word where the import of one fails.
    """
    try:
        with cli.stderr_held_back():
            from tfx import v1 as tfx
    except ImportError as error:
        if getattr(error, "name", None) == "tfx":
            raise UserError(f"TFX is not installed: {_INSTALL}") from error
        raise UserError(f"TFX cannot be imported ({error}): {_INSTALL}") from error
    for name in _MODULES.keys() - set(OPTIONAL) | set(optional):
        if getattr(tfx.components, name, None) is None:
            raise UserError(f"TFX came without its component {name}{_cause(name)}: {_INSTALL}")


def _cause(name: str) -> str:
    try:
        importlib.import_module(f"tfx.components.{_MODULES[name]}")
    except ImportError as error:
        return f" ({error})"
    return ""
