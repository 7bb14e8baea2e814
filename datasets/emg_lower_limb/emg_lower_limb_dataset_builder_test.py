"""TFDS's own checks of the builder, on invented recordings."""

import tensorflow_datasets as tfds

from tfseq.datasets.emg_lower_limb import emg_lower_limb_dataset_builder as builder


# TFDS looks for the folder under the package's name, which an editable install does not follow.
class EmgLowerLimbTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builder.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ("default", "scaling_standardized")
    SPLITS = {"train": 3, "validation": 1, "test": 1}  # noqa: RUF012 - TFDS reads a dict


class EmgLowerLimbStrideTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builder.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ("stride_500",)
    SPLITS = {"train": 5, "validation": 2, "test": 1}  # noqa: RUF012 - TFDS reads a dict


if __name__ == "__main__":
    tfds.testing.test_main()
