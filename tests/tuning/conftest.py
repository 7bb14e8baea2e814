"""What the tests of the studies share: results of small searches."""

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
