"""Fuzzes the readers of files that users name, guided by the code that each input reaches.

  pip install -e '.[test,fuzz]'
  python tests/fuzz.py                      # the targets
  python tests/fuzz.py 'weights .npz' 180   # for so many seconds

What follows is libFuzzer's. An input that ends in anything but a result or one line stops the run
and is written to crash-<digest>. Atheris has wheels for Linux alone.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import atheris

# Before others import them: those that read bytes, and what tfseq does with it.
with atheris.instrument_imports(include=["tfseq", "ast", "json", "zipfile", "numpy.lib"]):
    import ast  # noqa: F401
    import functools
    import json
    import zipfile  # noqa: F401

    import hostile
    import hostile_targets
    import numpy as np

    from tfseq import record_integrity, tfrecord_files, torch_weights  # noqa: F401


def tfrecords(folder, data):
    """Reads a TFRecord file in both ways: the places of its records, and what is whole of it."""
    path = hostile.written(folder, "records.tfrecord", data)
    list(tfrecord_files.places(path))
    kept = []
    bad = record_integrity.copy_whole_records(path, 3, kept.append)
    assert len(kept) + len(bad) >= 3
    assert len(bad) <= 3 + len(data) // 16


def _of_tfrecords():
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "seed")
        with tf.io.TFRecordWriter(str(path)) as writer:
            for size in (0, 5, 40):
                writer.write(bytes(size))
        return [path.read_bytes()]


def _of_npz(arrays):
    with tempfile.TemporaryFile() as stream:
        np.savez(stream, **arrays)
        stream.seek(0)
        return [stream.read()]


def _of_safetensors():
    from safetensors.numpy import save

    return [save(hostile_targets.state())]


def _of_settings():
    whole = {"model": {"name": "cnn", "dropout": 0.1}, "epochs": 3, "optimizer": {"name": "sgd"}}
    return [json.dumps(whole).encode()]


def _of_npy():
    return [hostile.npy(each) for each in (hostile.waveforms(), hostile.labels())]


# What reads, and valid files to begin with.
TARGETS = {
    "record_sets .npy": (hostile_targets.npy_sets, _of_npy),
    "record_sets .npz": (
        hostile_targets.npz_sets,
        lambda: _of_npz({"x": hostile.waveforms(), "y": hostile.labels()}),
    ),
    "settings": (hostile_targets.config_file, _of_settings),
    "weights .npz": (
        functools.partial(hostile_targets.weights, ".npz"),
        lambda: _of_npz(hostile_targets.state()),
    ),
    "weights .safetensors": (
        functools.partial(hostile_targets.weights, ".safetensors"),
        _of_safetensors,
    ),
    "TFRecord": (tfrecords, _of_tfrecords),
}


def main() -> None:
    """Runs a target until its time is over, or to the first finding."""
    if len(sys.argv) < 3 or sys.argv[1] not in TARGETS:
        print("\n".join(TARGETS))
        return
    read, seeds = TARGETS[sys.argv[1]]
    end, count = time.monotonic() + float(sys.argv[2]), 0
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds()):
            Path(corpus, str(number)).write_bytes(seed)

        def once(data):
            nonlocal count
            with tempfile.TemporaryDirectory() as folder:
                read(Path(folder), data)
            count += 1
            if time.monotonic() > end:
                print(f"{sys.argv[1]}: {count} inputs", flush=True)
                shutil.rmtree(corpus)
                os._exit(0)  # libFuzzer's own way out waits for TensorFlow's threads

        limits = ("-timeout=120", "-rss_limit_mb=4096", "-max_len=8192")
        atheris.Setup([sys.argv[0], *limits, *sys.argv[3:], corpus], once)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
