"""--config.deterministic: two runs agree to the bit."""

import command
from same_end import assert_same_end


def test_two_runs_agree_to_the_bit(builder, data_dir, pool, tmp_path):
    def train(name):
        cwd = tmp_path / name
        cwd.mkdir()
        return command.run(
            "train",
            *("--model=mlp", *command.MODELS["mlp"], *command.RECORDS),
            "--config.deterministic=true",
            *("--epochs=2", "--batch_size=8", "--config.data.cache=never"),
            *("--config.augmentation.gain=0.2", "--config.augmentation.shift=50"),
            *(f"--data_dir={data_dir}", "--workdir=run", "--export_dir=exports"),
            cwd=cwd,
        ).check()

    names = ("one", "two")
    list(pool.map(train, names))
    assert_same_end(*(tmp_path / name for name in names))
