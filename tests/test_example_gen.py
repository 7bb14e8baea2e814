"""Batches: every record once an epoch, in an order that seed and epoch determine."""

import itertools

import damage
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tfseq import example_gen
from tfseq.errors import UserError
from tfseq.example_gen import Split, evaluation_batches, training_batches

BATCH = 16
CACHES = ("always", "never")


@pytest.fixture(scope="module")
def stored(builder):
    """By split, the numbers of the records in the order in which they are stored."""
    return {
        split: [
            int(record["record_id"].decode().partition("/")[2])
            for record in tfds.as_numpy(builder.as_dataset(split=split))
        ]
        for split in builder.info.splits
    }


@pytest.fixture(scope="module")
def number_of(builder):
    """The number of a record of the split train, by what is in it."""
    return {
        key(record["waveform"], record["label"]): int(record["record_id"].decode().split("/")[1])
        for record in tfds.as_numpy(builder.as_dataset(split="train"))
    }


def key(waveform, label):
    return waveform.tobytes() + label.tobytes()


@pytest.fixture
def epochs(builder, number_of):
    """Returns a function that gives the numbers of the records in batches of epochs."""

    def read(count, cache, split="train", first_epoch=0, first_step=0, seed=0):
        part = Split(builder, split)
        batches = training_batches(
            part, BATCH, seed=seed, first_epoch=first_epoch, first_step=first_step, cache=cache
        )
        steps = count * part.num_batches(BATCH) - first_step
        taken = batches.take(steps).as_numpy_iterator()
        return [[number_of[key(*record)] for record in zip(*b, strict=True)] for b in taken]

    return read


@pytest.mark.parametrize("cache", CACHES)
def test_an_epoch_holds_every_record_once_and_the_last_batch_may_be_smaller(cache, epochs):
    batches = epochs(2, cache)
    assert [len(batch) for batch in batches] == [16, 16, 16, 2] * 2
    for epoch in (batches[:4], batches[4:]):
        assert sorted(itertools.chain(*epoch)) == list(range(50))


@pytest.mark.parametrize("cache", CACHES)
def test_the_order_is_that_of_the_seed_and_the_epoch(cache, epochs):
    batches = epochs(2, cache)
    assert epochs(2, cache) == batches
    first, second = batches[:4], batches[4:]
    other_seed = epochs(1, cache, seed=1)
    orders = [first, second, other_seed]
    assert all(a != b for a, b in itertools.combinations(orders, 2))


@pytest.mark.parametrize("cache", CACHES)
def test_the_order_does_not_depend_on_tensorflow_s_own_seed(cache, epochs):
    orders = []
    for seed in (0, 7):
        tf.random.set_seed(seed)
        orders.append(epochs(1, cache))
    assert orders[0] == orders[1]


@pytest.mark.parametrize("cache", CACHES)
def test_records_are_not_in_the_order_in_which_they_are_stored(cache, epochs, stored):
    order = list(itertools.chain(*epochs(1, cache)))
    places = [stored["train"].index(number) for number in order]
    # 50 shuffled places keep a correlation with their order of 0 +- 0.14.
    assert abs(np.corrcoef(places, np.arange(50))[0, 1]) < 0.6


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize(("epoch", "step"), [(0, 0), (0, 3), (1, 0), (1, 2), (2, 3)])
def test_what_continues_has_the_batches_of_what_was_not_stopped(cache, epoch, step, epochs):
    whole = epochs(3, cache)
    rest = epochs(3 - epoch, cache, first_epoch=epoch, first_step=step)
    assert rest == whole[4 * epoch + step :]


def test_what_the_shuffle_buffer_cannot_hold_is_read_once_too_and_continues(epochs, monkeypatch):
    monkeypatch.setattr(example_gen, "_SHUFFLE_BUFFER_BYTES", 20 * 5 * 4000 * 4)
    batches = epochs(2, "never")
    for epoch in (batches[:4], batches[4:]):
        assert sorted(itertools.chain(*epoch)) == list(range(50))
    assert batches[:4] != batches[4:]
    assert epochs(1, "never", first_epoch=1, first_step=1) == batches[5:]


def test_memory_and_disk_hold_the_same_records_and_auto_is_memory_where_they_fit(epochs):
    memory, disk, auto = (epochs(1, cache) for cache in ("always", "never", "auto"))
    assert sorted(itertools.chain(*memory)) == sorted(itertools.chain(*disk))
    assert auto == memory


@pytest.mark.parametrize(
    ("split", "part"),
    [
        ("train", slice(None)),
        ("train[:10%]", slice(0, 5)),
        ("train[5:12]", slice(5, 12)),
        ("train[-3:]", slice(47, 50)),
    ],
)
def test_a_part_of_a_split_is_that_part_of_what_is_stored(split, part, builder, stored, epochs):
    expected = stored["train"][part]
    assert Split(builder, split).num_records == len(expected)
    for cache in CACHES:
        assert sorted(itertools.chain(*epochs(1, cache, split=split))) == sorted(expected)
    labels = np.concatenate(
        [label for _, label in evaluation_batches(Split(builder, split), 3).as_numpy_iterator()]
    )
    records = list(tfds.as_numpy(builder.as_dataset(split="train")))[part]
    np.testing.assert_array_equal(labels, [record["label"] for record in records])


@pytest.mark.parametrize("cache", CACHES)
def test_evaluation_reads_every_record_once_in_order(cache, builder):
    split = Split(builder, "validation")
    assert (split.num_records, split.num_batches(8), split.num_batches(20)) == (20, 3, 1)
    evaluation = evaluation_batches(split, 8, cache=cache)
    assert evaluation.cardinality() == 3  # Keras warns of data that ends without saying so
    batches = list(evaluation.as_numpy_iterator())
    assert [len(waveform) for waveform, _ in batches] == [8, 8, 4]
    records = list(tfds.as_numpy(builder.as_dataset(split="validation")))
    for index, field in enumerate(("waveform", "label")):
        read = np.concatenate([batch[index] for batch in batches])
        np.testing.assert_array_equal(read, [record[field] for record in records])


def test_evaluation_from_memory_is_whole_though_an_iterator_was_given_up(
    builder, data_dir, tmp_path
):
    copied = damage.copied(data_dir, tmp_path / "data")
    batches = evaluation_batches(Split(copied, "validation"), 4, cache="always")
    damage.file_of(copied, "validation").unlink()  # nothing is left for an iterator to read
    next(iter(batches))
    assert sum(len(waveform) for waveform, _ in batches) == 20


def test_examples_are_the_records_with_their_names(builder, stored):
    split = Split(builder, "train[3:9]")
    examples = list(split.examples().as_numpy_iterator())
    names = [f"train/{number}" for number in stored["train"][3:9]]
    assert [example["record_id"].decode() for example in examples] == names
    assert [example["group"].decode() for example in examples] == names
    for example, record in zip(examples, split.records().as_numpy_iterator(), strict=True):
        for field, values in zip(("waveform", "label"), record, strict=True):
            np.testing.assert_array_equal(example[field], values)


@pytest.mark.parametrize("cache", [*CACHES, None])
def test_batches_are_float32_waveforms_and_labels(cache, builder):
    split = Split(builder, "test")
    assert split.waveform_shape == (4, 4000)
    batches = (
        training_batches(split, 4, seed=0, cache=cache) if cache else evaluation_batches(split, 4)
    )
    for spec, shape in zip(batches.element_spec, [(None, 4, 4000), (None, 4000)], strict=True):
        assert (tuple(spec.shape), spec.dtype) == (shape, "float32")
    waveform, label = next(batches.as_numpy_iterator())
    assert (waveform.shape, waveform.dtype) == ((4, 4, 4000), np.float32)
    assert (label.shape, label.dtype) == ((4, 4000), np.float32)


@pytest.mark.parametrize("cache", CACHES)
def test_nothing_is_tuned_as_it_goes(cache, builder):
    # An iterator that ends would wait for what tunes it to wake, up to as long as it was there.
    split = Split(builder, "train")
    pipelines = [
        training_batches(split, 4, seed=0, cache=cache),
        evaluation_batches(split, 4, cache=cache),
        split.examples(),
    ]
    assert [each.options().autotune.enabled for each in pipelines] == [False] * 3


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("dev", r"simulated_emg has no split 'dev' .*train, validation, test"),
        ("", r"has no split ''"),
        ("all[:5]", r"has no split 'all\[:5\]'"),
        ("train[", r"'train\[' is not a split; write train, train\[:100\] or train\[:10%\]"),
        ("train[:x]", r"'train\[:x\]' is not a split"),
        ("train[:10%", r"'train\[:10%' is not a split"),
        ("train[:200%]", r"'train\[:200%\]' is not a split"),
        ("train[:0]", r"split 'train\[:0\]' holds no record"),
        ("train[30:30]", r"holds no record"),
        ("train[:1%]", r"holds no record"),
    ],
)
def test_what_is_no_split_is_refused_by_its_name(split, message, builder):
    with pytest.raises(UserError, match=message) as refused:
        Split(builder, split)
    assert "\n" not in str(refused.value)
