"""TFDS's own checks of the builder."""

from pathlib import Path

import tensorflow_datasets as tfds

from tfseq.datasets.simulated_emg import simulated_emg_dataset_builder


class SimulatedEmgTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = simulated_emg_dataset_builder.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ("tiny",)
    SPLITS = {"train": 64, "validation": 32, "test": 32}  # noqa: RUF012 - TFDS reads a dict
    EXAMPLE_DIR = str(Path(__file__).parent)  # TFDS wants a folder; no file is read


if __name__ == "__main__":
    tfds.testing.test_main()
