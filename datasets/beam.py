"""What Apache Beam is asked for, and what it answers where a record is refused."""

import logging
import re
from typing import TYPE_CHECKING

from tfseq.errors import UserError

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

_FLAG = "--beam_pipeline_options"
_REFUSAL = re.compile(r"UserError: (.+?)(?: \[while running .*)?$", re.MULTILINE)


def pipeline_options(text: str) -> "PipelineOptions":
    """Returns Beam's options.

    Args:
        text: `name=value` of each, with commas between, as `tfds build` takes them.

    Raises:
        UserError: If Beam is not installed, or there is no such runner.
    """
    # It logs the traceback of what a worker raises, which says the same again.
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    try:
        from apache_beam.options import pipeline_options as options
        from apache_beam.runners import runner
    except ImportError as error:
        raise UserError(
            f"{_FLAG}: Apache Beam is not installed ({error}): pip install 'tfseq[beam]'"
        ) from error
    found = options.PipelineOptions([f"--{each.strip()}" for each in text.split(",")])
    name = found.view_as(options.StandardOptions).runner
    try:
        runner.create_runner(name or "DirectRunner")
    except (ValueError, ImportError, AttributeError) as error:
        raise UserError(f"{_FLAG}: there is no runner {name}: {error}") from error
    return found


def refusal(error: Exception) -> UserError | None:
    """Returns the mistake of the user's with which a worker ended a pipeline, or None."""
    found = _REFUSAL.findall(f"{type(error).__name__}: {error}")
    return UserError(found[-1]) if found else None
