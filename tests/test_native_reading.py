"""Records read by their places in the files are those that TFDS reads."""

import errno
import functools
import os
import shutil
import subprocess
from pathlib import Path

import damage
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tfseq import native
from tfseq.example_gen import Split, evaluation_batches, training_batches
from tfseq.native import reading
from tfseq.share import Share

SHAPE = (2, 30)


class Several(tfds.core.GeneratorBasedBuilder):
    """Records in as many files as they are told to be in."""

    VERSION = tfds.core.Version("1.0.0")
    name = "several"
    pkg_dir_path = Path(__file__).parent

    def __init__(self, *arguments, encoding="bytes", dtype=np.float32, **settings):
        self.encoding, self.dtype = encoding, dtype
        super().__init__(*arguments, **settings)

    def _info(self):
        def tensor(*shape):
            return tfds.features.Tensor(shape=shape, dtype=self.dtype, encoding=self.encoding)

        features = {"waveform": tensor(*SHAPE), "label": tensor(SHAPE[1])}
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("waveform", "label"),
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        random = np.random.default_rng(7)
        for index in range(400):
            waveform, label = random.normal(size=SHAPE), random.normal(size=SHAPE[1])
            yield index, {"waveform": self.dtype(waveform), "label": self.dtype(label)}


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """Returns a function that builds the records in some files, once."""

    @functools.cache
    def build(files=1, **settings):
        folder = tmp_path_factory.mktemp("several")
        builder = Several(data_dir=folder, **settings)
        config = tfds.download.DownloadConfig(num_shards=files)
        builder.download_and_prepare(download_config=config)
        return builder

    return build


def same(found, expected):
    found, expected = (list(tfds.as_numpy(each)) for each in (found, expected))
    assert len(found) == len(expected)
    for pair in zip(found, expected, strict=True):
        for values in zip(*pair, strict=True):
            np.testing.assert_array_equal(*values)


# As many files as are read by turns, fewer and more, which end after others.
@pytest.mark.parametrize("files", [1, 3, 16, 23])
@pytest.mark.parametrize("split", ["train", "train[37:]", "train[5%:61%]", "train[:9]+train[30:]"])
def test_the_order_is_that_of_tfds(files, split, several):
    builder = several(files)
    stored = reading.stored(builder, split)
    records = builder.as_dataset(split=split, as_supervised=True)
    same(stored.places().batch(7).map(stored.read).unbatch(), records)
    waveforms, labels = stored.in_memory()
    assert waveforms.shape[1:] == SHAPE
    same(tf.data.Dataset.from_tensor_slices((waveforms, labels)), records)


# A whole batch, or of three workers the second's part of it.
@pytest.mark.parametrize("share", [None, Share(first=1, count=1, of=3)])
def test_what_is_read_by_place_is_what_is_read_in_order(share, several, monkeypatch):
    split = Split(several(5), "train")

    def batches():
        training = training_batches(split, 33, seed=1, cache="never", share=share).take(20)
        return [*training, *evaluation_batches(split, 33, share=share)]

    assert split.stored() is not None
    by_place = batches()
    monkeypatch.setattr(reading, "stored", lambda *_: None)
    same(by_place, batches())


@pytest.mark.parametrize(
    "settings", [{"encoding": "none"}, {"encoding": "zlib"}, {"dtype": np.float64}], ids=str
)
def test_what_is_stored_in_another_way_is_left_to_tfds(settings, several):
    builder = several(**settings)
    assert reading.stored(builder, "train") is None
    same(
        tf.data.Dataset.from_tensor_slices(Split(builder, "train").in_memory()),
        builder.as_dataset(split="train", as_supervised=True),
    )


def test_so_are_files_that_are_no_tfrecord_files(several):
    assert reading.stored(several(file_format="array_record"), "train") is None


@pytest.mark.parametrize("number", [errno.ENODEV, errno.EACCES])
def test_so_are_files_that_a_disk_cannot_map(number, several, monkeypatch):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(reading.mmap, "mmap", refuse)
    if number == errno.ENODEV:
        assert reading.stored(several(), "train") is None
    else:  # another reason is the user's to know
        with pytest.raises(PermissionError):
            reading.stored(several(), "train")


DAMAGES = {
    "a byte": lambda path: damage.flip(path, 17, 500),
    "a length": lambda path: damage.flip(path, 17, 1),
    "a cut within a record": lambda path: damage.cut(path, 40, 77),
    "a cut between records": lambda path: damage.cut(path, 40),
}


@pytest.mark.parametrize("cache", ["always", "never"])
@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_found(kind, cache, data_dir, tmp_path):
    builder = damage.copied(data_dir, tmp_path / "data")
    DAMAGES[kind](damage.file_of(builder))
    with pytest.raises(tf.errors.DataLossError, match=damage.file_of(builder).name):
        list(training_batches(Split(builder, "train"), 16, seed=0, cache=cache).take(4))


def test_few_files_are_open_at_once_of_many(several):
    builder = several(140)
    stored = reading.stored(builder, "train")
    assert len(stored.paths) == 140

    def files_open():
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before, counts = files_open(), []
    for _ in stored.places().batch(40).map(stored.read):
        counts.append(files_open())
    assert len(counts) == 10
    assert before < max(counts) <= before + 70
    same(
        stored.places().batch(9).map(stored.read).unbatch(),
        builder.as_dataset(split="train", as_supervised=True),
    )


def test_records_of_many_files_are_held_in_a_copy(several, tmp_path):
    builder = several(140)
    folder = shutil.copytree(builder.data_path, tmp_path / "several" / "1.0.0")
    split = Split(tfds.builder_from_directory(folder), "train")
    batches = iter(training_batches(split, 200, seed=3, cache="always"))
    shutil.rmtree(folder)
    found = np.concatenate([next(batches)[1] for _ in range(2)])
    _, labels = Split(builder, "train").in_memory()
    np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(labels, axis=0))


def first_batches(builder, cache):
    """Returns what reads on, after a first batch of which nothing is read ahead for long."""
    batches = iter(training_batches(Split(builder, "train"), 16, seed=0, cache=cache))
    next(batches)
    return batches


def replaced(path):
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.replace(path)


@pytest.mark.parametrize(
    ("change", "cache", "reason"),
    [
        (Path.unlink, "never", errno.ENOENT),
        (replaced, "never", errno.ESTALE),
        (lambda path: os.truncate(path, 99), "never", errno.ESTALE),
        (lambda path: os.truncate(path, 99), "always", errno.ESTALE),
        (Path.touch, "always", errno.ESTALE),
    ],
    ids=["went", "replaced", "cut", "held and cut", "held and written"],
)
def test_a_file_that_went_or_is_another_is_named(change, cache, reason, data_dir, tmp_path):
    builder = damage.copied(data_dir, tmp_path / "data")
    path = damage.file_of(builder)
    batches = first_batches(builder, cache)
    change(path)
    with pytest.raises(tf.errors.OpError, match=f"{path.name}; {os.strerror(reason)}"):
        for _ in range(9):
            next(batches)


@pytest.mark.parametrize("change", [Path.unlink, replaced])
def test_what_is_held_stays_when_the_file_goes(change, data_dir, tmp_path):
    builder = damage.copied(data_dir, tmp_path / "data")
    batches = first_batches(builder, "always")
    expected = first_batches(builder, "always")
    of_expected = [next(expected) for _ in range(9)]
    change(damage.file_of(builder))
    for waveform, label in of_expected:
        found = next(batches)
        np.testing.assert_array_equal(found[0], waveform)
        np.testing.assert_array_equal(found[1], label)


def test_held_records_are_those_that_tfds_reads_in_a_whole_shuffle(several):
    split = Split(several(5), "train[3:60]+train[90:]")
    waveforms, labels = split.in_memory()
    order = tf.random.experimental.stateless_shuffle(tf.range(split.num_records), seed=[7, 2])
    batches = training_batches(split, 33, seed=7, first_epoch=2, cache="always")
    expected = tf.data.Dataset.from_tensor_slices(
        (tf.gather(waveforms, order), tf.gather(labels, order))
    )
    same(batches.take(split.num_batches(33)).unbatch(), expected)


def test_a_record_of_another_size_is_refused(several):
    stored = reading.stored(several(), "train")
    other = reading.StoredRecords(
        stored.paths, stored.starts, stored.ends, stored.files_at_a_time, (2, 31)
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="has 240 bytes; expected 248"):
        other.in_memory()


def test_no_byte_of_a_file_has_another_read_and_each_that_is_changed_is_found(tmp_path):
    path, program = tmp_path / "records", tmp_path / "native_reading"
    texts = [(b"w" * 40, b"l" * 20), (b"", b"short"), (b"more" * 9, b"")]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for values in texts:
            features = {
                name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                for name, value in zip(("waveform", "label"), values, strict=True)
            }
            features["group"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[1, -1]))
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    source = Path(__file__).with_name("native_reading.cc")
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    include = ["-I", str(Path(native.__file__).parent)]
    flags = ["-std=gnu++17", "-Og", "-march=native", *sanitizers, *include]
    subprocess.run(["c++", *flags, str(source), "-o", str(program)], check=True)
    done = subprocess.run(
        [str(program), str(path), str(len(texts))], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    expected = [" ".join(value.decode() for value in values) for values in texts]
    assert done.stdout.splitlines() == expected
