"""Has a server label waveforms from a file.

  python -m tfseq.client --host=localhost:8501 --input=x.npy --output=y.npy
  python -m tfseq.client --protocol=grpc --host=localhost:8500 --input=x.npy --output=y.npy

The input is an array (records, channels, steps) of any real dtype, the output (records, steps)
float32. Both are read and written in batches: they may be larger than memory. A request that finds
the server unavailable is tried again; whatever else the server refuses ends the command.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from tfseq import cli
from tfseq.client.calls import Call, Target, parse_host, records_per_request, with_retries
from tfseq.errors import UserError

if TYPE_CHECKING:
    import numpy as np

FLAGS = flags.FLAGS

_PORTS = {"rest": 8501, "grpc": 8500, "kserve-rest": 8080}


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("host", None, "The server, such as localhost:8501.")
    flags.DEFINE_enum(
        "protocol",
        "rest",
        list(_PORTS),
        "rest and grpc are TF Serving's, kserve-rest is MLServer's and Triton's. grpc needs "
        "pip install 'tfseq[serving]'.",
    )
    flags.DEFINE_string("model", "cnn", "The model's name on the server.")
    flags.DEFINE_integer("version", None, "Its version [the server's choice].", lower_bound=0)
    flags.DEFINE_string("version_label", None, "Label of its version, such as canary.")
    flags.DEFINE_string(
        "signature",
        "serving_default",
        "serving_default, or validate, which also answers records that are not finite.",
    )
    flags.DEFINE_string("input", None, ".npy file of waveforms (records, channels, steps).")
    flags.DEFINE_string("output", None, ".npy file that the labels (records, steps) go to.")
    flags.DEFINE_float("timeout", 30.0, "Seconds that a request may take.", lower_bound=0.001)
    flags.DEFINE_integer("attempts", 6, "Times that an unavailable server is asked.", lower_bound=1)
    flags.DEFINE_integer(
        "batch_size", None, "Records in a request [as many as 4 MiB hold].", lower_bound=1
    )


def main() -> None:
    """Runs the command."""
    cli.require("host", "input", "output")
    source, output = Path(FLAGS.input), Path(FLAGS.output)
    target = _target()
    from tfseq import record_files

    record_files.require_folder("--output", output)
    waveforms = record_files.Waveforms(source)
    call, bytes_per_value = _protocol(target)
    labeler = _Labeler(call, target)
    record_files.label_records(
        labeler,
        waveforms,
        target=output,
        batch_size=_batch_size(waveforms.shape[1:], bytes_per_value),
        # `validate` is there to be asked about records that are not finite.
        finite=FLAGS.signature == "serving_default",
    )
    print(f"{waveforms.shape[0]} records labelled: {output}")
    if labeler.invalid:
        print(f"not valid, their labels mean nothing: records {', '.join(labeler.invalid)}")


class _Labeler:
    """Labels batches; remembers the records that the server says are not valid."""

    def __init__(self, call: Call, target: Target) -> None:
        self._call = call
        self._target = target
        self._done = 0
        self.invalid: list[str] = []

    def __call__(self, waveform: "np.ndarray") -> "np.ndarray":
        """Returns labels (batch, steps) for waveforms (batch, channels, steps)."""
        outputs = with_retries(lambda: self._call(waveform), FLAGS.attempts)
        self._require_expected(outputs, len(waveform), waveform.shape[2])
        if "valid" in outputs:
            bad = (~outputs["valid"]).nonzero()[0]
            self.invalid += [str(self._done + record) for record in bad]
        self._done += len(waveform)
        return outputs["label"]

    def _require_expected(self, outputs: "dict[str, np.ndarray]", records: int, steps: int) -> None:
        expected = {"label": ("f", (records, steps))}
        if "valid" in outputs:
            expected["valid"] = ("b", (records,))
        for name, kind_and_shape in expected.items():
            output = outputs.get(name)
            if output is None or (output.dtype.kind, output.shape) != kind_and_shape:
                got = [f"{each} {array.dtype} {array.shape}" for each, array in outputs.items()]
                raise UserError(
                    f"{self._target.address}: expected label float32 {(records, steps)} and, "
                    f"where records are validated, valid bool {(records,)}; got "
                    f"{', '.join(got) or 'nothing'}"
                )


def _target() -> Target:
    if FLAGS.version is not None and FLAGS.version_label is not None:
        raise UserError("--version and --version_label exclude each other")
    host, port = parse_host(FLAGS.host, _PORTS[FLAGS.protocol])
    return Target(
        host,
        port,
        model=FLAGS.model,
        version=FLAGS.version,
        version_label=FLAGS.version_label,
        signature=FLAGS.signature,
    )


def _protocol(target: Target) -> tuple[Call, int]:
    """Returns the function that sends a request, and the bytes that a value takes in it."""
    if FLAGS.protocol == "grpc":
        from tfseq.client import grpc_call

        return grpc_call.tf_serving(target, FLAGS.timeout), grpc_call.BYTES_PER_VALUE
    from tfseq.client import rest_call

    connect = rest_call.kserve if FLAGS.protocol == "kserve-rest" else rest_call.tf_serving
    return connect(target, FLAGS.timeout), rest_call.BYTES_PER_VALUE


def _batch_size(waveform_shape: tuple[int, int], bytes_per_value: int) -> int:
    limit = records_per_request(waveform_shape, bytes_per_value)
    if FLAGS.batch_size is None:
        return limit
    if FLAGS.batch_size > limit:
        raise UserError(
            f"--batch_size={FLAGS.batch_size}: a message of 4 MiB holds {limit} records of shape "
            f"{tuple(waveform_shape)}"
        )
    return FLAGS.batch_size


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
