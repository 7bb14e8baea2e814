"""The data set builds as TFDS asks, from the sets in dummy_data."""

import tensorflow_datasets as tfds

from tfseq.datasets.record_sets import record_sets_dataset_builder


class RecordSetsTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = record_sets_dataset_builder.Builder
    SPLITS = {"train": 7, "validation": 2, "test": 1}  # noqa: RUF012 - TFDS reads a dict


if __name__ == "__main__":
    tfds.testing.test_main()
