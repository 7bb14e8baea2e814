"""Tries a version as TF Serving would: loads it in C++ and replays its warm-up requests.

  python -m tfseq.infra_validator --saved_model=saved_models/cnn/1

`tfseq.pusher` publishes only what passes, beside the answers of the trained model (`--expected`).
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from tfseq import cli
from tfseq.errors import UserError, reason

if TYPE_CHECKING:
    import numpy as np

    from tfseq.serving.session import Session
    from tfseq.serving.warmup import Request

FLAGS = flags.FLAGS
TOLERANCE = 1e-5
"""How far an answer may be from the model's: absolute, and relative to it."""


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("saved_model", None, "Version folder of an exported model.")
    flags.DEFINE_string(
        "expected", None, ".npz file of the right answers: <request>.<output>, requests from 0."
    )


def main() -> None:
    """Runs the command."""
    cli.require("saved_model")
    folder = Path(FLAGS.saved_model)
    if not (folder / "saved_model.pb").is_file():
        raise UserError(f"--saved_model: no model in {folder}; expected a version folder")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    expected = None if FLAGS.expected is None else _expected(Path(FLAGS.expected))
    requests = _requests(folder)
    start = time.perf_counter()
    loaded = _load(folder)
    loading = time.perf_counter() - start
    furthest = max(
        _replay(loaded, request, index, expected) for index, request in enumerate(requests)
    )
    replaying = time.perf_counter() - start - loading
    print(
        f"{folder}: loaded in {loading:.1f} s, {len(requests)} requests answered in "
        f"{replaying:.1f} s"
        + ("" if expected is None else f"; at most {furthest:.1g} from the trained model")
    )


def validate(folder: Path, expected: "list[dict[str, np.ndarray]]") -> None:
    """Tries a version in another process, which has no part of this one's TensorFlow.

    Args:
        folder: The version.
        expected: The right answer to each warm-up request: outputs by name.

    Raises:
        UserError: If the version cannot be loaded, or an answer is not the right one.
    """
    import numpy as np

    named = {f"{n}.{name}": out for n, outs in enumerate(expected) for name, out in outs.items()}
    # On the processor, and beside a process that may hold all memory of the GPUs.
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    with tempfile.TemporaryDirectory() as temporary:
        answers = Path(temporary, "expected.npz")
        np.savez(answers, **named)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tfseq.infra_validator"),
                *(f"--saved_model={folder}", f"--expected={answers}"),
            ],
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    if done.returncode < 0:
        raise UserError(
            f"the export does not pass: loading it ended with signal {-done.returncode}"
        )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise UserError(f"the export does not pass: {said[-1].removeprefix('error: ')}")


def _expected(path: Path) -> "dict[str, np.ndarray]":
    """Returns the arrays of `--expected`."""
    import numpy as np

    try:
        if not path.is_file():
            raise ValueError("there is no such file")
        with np.lib.npyio.NpzFile(path) as archive:
            arrays = {name: np.asarray(archive[name]) for name in archive}
        if others := [name for name, values in arrays.items() if values.dtype.kind not in "biuf"]:
            raise ValueError(f"{others[0]} is of type {arrays[others[0]].dtype}")
    except Exception as error:  # zipfile's, zlib's and numpy's own
        raise UserError(
            f"--expected: {path} is not a readable .npz file of numbers ({reason(error)})"
        ) from error
    return arrays


def _requests(folder: Path) -> "list[Request]":
    """Returns the warm-up requests of a version."""
    from google.protobuf.message import DecodeError

    from tfseq.serving import warmup

    try:
        requests = warmup.read(folder)
        if not requests:
            raise ValueError("there are none")
    except (OSError, ValueError, DecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(f"{folder}: expected requests in {warmup.FILE}: {why}") from error
    return requests


def _load(folder: Path) -> "Session":
    from tfseq.serving import session

    refused = None
    # Some of TensorFlow's messages come before it reads the level.
    with cli.stderr_held_back():
        try:
            return session.Session(folder)
        except session.SessionError as error:
            refused = error
    raise UserError(f"{folder}: TensorFlow's C++ loader refuses it: {refused}") from refused


def _replay(
    session: "Session", request: "Request", index: int, expected: "dict[str, np.ndarray] | None"
) -> float:
    """Returns how far the answer to a request is from the right one, where that is known."""
    import numpy as np

    from tfseq.serving.session import SessionError

    records = len(next(iter(request.inputs.values())))
    where = f"{FLAGS.saved_model}: {request.signature} of {records} records"
    try:
        answer = session.run(request.signature, request.inputs)
    except (SessionError, KeyError) as error:
        raise UserError(f"{where}: {error}") from error
    furthest = 0.0
    for name, values in answer.items():
        if len(values) != records or not np.isfinite(values).all():
            raise UserError(
                f"{where}: expected {records} finite records of {name}, got shape {values.shape}"
            )
        if expected is None:
            continue
        if f"{index}.{name}" not in expected:
            raise UserError(
                f"--expected: {FLAGS.expected} has no {index}.{name}, the answer to "
                f"{request.signature} of {records} records"
            )
        distance = _distance(values, expected[f"{index}.{name}"], f"{where}: {name}")
        furthest = max(furthest, distance)
    return furthest


def _distance(values: "np.ndarray", right: "np.ndarray", where: str) -> float:
    """Returns how far an output is at most from the right one; refuses what is too far."""
    import numpy as np

    if right.shape != values.shape:
        raise UserError(f"{where} has shape {values.shape}; expected {right.shape}")
    difference = np.abs(values.astype(np.float64) - right)
    # Not `any` of what is farther: nothing is farther than NaN.
    if not (difference <= TOLERANCE * (1 + np.abs(right))).all():
        raise UserError(
            f"{where} is {difference.max():.2g} from the trained model's; "
            f"expected at most {TOLERANCE:g}"
        )
    return difference.max(initial=0.0)


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
