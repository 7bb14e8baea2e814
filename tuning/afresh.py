"""Starts the process of a long search afresh from time to time.

TensorFlow 2.21 keeps the programs that XLA compiled for a model, some 50 MB, for as long as the
process lives; what own kernels train leaves nothing. A search knows from its results what has been
run, and goes on.
"""

import os
import sys
from typing import NoReturn

from absl import flags

FLAGS = flags.FLAGS


def define_flag() -> None:
    """Defines the flag that says how often."""
    flags.DEFINE_integer(
        "fresh_after",
        40,
        "Start the process afresh after so many trials, which gives memory back [40].",
        lower_bound=1,
    )


def is_due(trained: int) -> bool:
    """Whether a process that has trained so many trials is to start afresh: a command, that is."""
    return "fresh_after" in FLAGS and FLAGS.is_parsed() and trained >= FLAGS.fresh_after


def start() -> NoReturn:
    """Runs the command from its beginning, as the same process."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
