"""What the tests of the studies share: results of small searches, records of three subjects."""

import command
import pytest

SETTINGS = {
    "dataset.train_records": 50,
    "dataset.validation_records": 20,
    "dataset.test_records": 20,
}


@pytest.fixture(scope="session")
def options(builder, data_dir, tmp_path_factory):
    """Returns a function from a name to the options of small searches in a folder of that name."""
    from tfseq.tuning.options import Options

    folder = tmp_path_factory.mktemp("studies")

    def make(name, **changes):
        small = {"settings": SETTINGS, "seeds": 2, "epochs": 1, "width_fraction": 0.005}
        return Options(folder / name, data_dir=str(data_dir), **(small | changes))

    return make


@pytest.fixture(scope="session")
def flags(data_dir, builder):
    """The flags of a small search."""
    small = ("--workdir=studies", "--epochs=1", "--width_fraction=0.005")
    return (*command.RECORDS, f"--data_dir={data_dir}", *small)


@pytest.fixture(scope="session")
def searched(options):
    """The options of a search that is done: two studies, and one of sizes."""
    from tfseq.tuning import running, sizes, studies, study

    given = options("searched", epochs=2)
    chosen = study.find(studies.ALL, ["cnn/regularization", "mlp/dropout"])
    running.run([*chosen, sizes.sample_size("mlp", (5, 10, 20))], given)
    return given


@pytest.fixture(scope="session")
def subjects(data_dir):
    """The builder of three subjects' records, which overlap: 11 of 9A, 6 of 4N and 6 of 1N+2N."""
    from tfseq import datasets
    from tfseq.datasets.emg_lower_limb import make_dummy_data

    return datasets.load(
        "emg_lower_limb", data_dir=data_dir, manual_dir=make_dummy_data.FOLDER, stride=100
    )


@pytest.fixture(scope="session")
def subject_flags(subjects, data_dir):
    """The flags that name them."""
    settings = ("--dataset=emg_lower_limb", "--config.dataset.stride=100")
    return (*settings, f"--data_dir={data_dir}")


@pytest.fixture
def config(subjects):
    """Small settings of a training on them."""
    from tfseq import configs

    small = configs.get("cnn")
    small.dataset.name = "emg_lower_limb"
    small.dataset.stride = 100
    small.epochs = 2
    return small
