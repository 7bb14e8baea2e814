"""`python -m tfseq.figures`: one line a figure, and one line for what it refuses."""

import command
import numpy as np
import pytest

DATA_SET = [
    "figure_1_line_plot",
    "figure_2_histogram",
    "figure_3_correlation",
    "figure_4_distributions",
    "figure_5_labels",
    "figure_6_pair_plot",
    "figure_7_correlation_with_label",
]
RUN = ["figure_8_loss", "figure_9_predictions", "figure_10_errors"]
BEGINNINGS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds my_sets/, 40 records of 2 channels and 1000 steps, and a file."""
    folder = tmp_path_factory.mktemp("figures_command")
    (folder / "file").write_text("")
    (folder / "my_sets").mkdir()
    random = np.random.default_rng(0)
    x, y = random.normal(size=(40, 2, 1000)), random.uniform(0, 4, (40, 1000))
    np.savez(folder / "my_sets" / "set1.npz", x=x.astype(np.float32), y=y.astype(np.float32))
    return folder


def draw_sets(folder, *arguments):
    places = ("--dataset=record_sets", "--manual_dir=my_sets", "--data_dir=data")
    return command.run("figures", *places, *arguments, cwd=folder)


def test_a_data_set_is_drawn_in_every_format_over_what_was_there(folder):
    out = folder / "out"
    out.mkdir()
    (out / "figure_1_line_plot.png").write_text("old")
    done = draw_sets(folder, "--out=out", "--format=png,svg,pdf", "--records=1,2", "--raw_lines")
    lines = done.check().stdout.splitlines()
    expected = [[f"out/{name}.{suffix}" for suffix in BEGINNINGS] for name in DATA_SET]
    assert [line.split() for line in lines if line.startswith("out/")] == expected
    found = {path.name: path.read_bytes() for path in out.iterdir()}
    assert len(found) == 21
    for name, content in found.items():
        assert content.startswith(BEGINNINGS[name.rpartition(".")[2]]), name


def test_labels_of_another_range_are_drawn_once_the_range_is_given(tmp_path):
    random = np.random.default_rng(0)
    sets = tmp_path / "my_sets"
    sets.mkdir()
    np.savez(sets / "set1.npz", x=random.random((40, 2, 100)), y=random.uniform(0, 100, (40, 100)))
    assert "--config.dataset.label_range" in draw_sets(tmp_path).refusal()
    done = draw_sets(tmp_path, "--config.dataset.label_range=0,100").check()
    assert len(list((tmp_path / "figures").iterdir())) == len(DATA_SET)
    assert "error" not in done.stdout + done.stderr


def test_a_run_is_drawn(trained, data_dir, tmp_path):
    work = trained("seqnet").result()  # it has a layer that is not Keras's own
    work.finished.check()
    places = (f"--workdir={work.workdir}", f"--data_dir={data_dir}", "--split=validation")
    done = command.run("figures", *places, cwd=tmp_path).check()
    assert done.stdout.splitlines()[-3:] == [f"figures/{name}.png" for name in RUN]
    assert sorted(path.stem for path in (tmp_path / "figures").iterdir()) == sorted(RUN)


AT_ONCE = {
    "neither data set nor run": ([], ["--dataset or --workdir"]),
    "both": (["--dataset=simulated_emg", "--workdir=run"], ["--dataset or --workdir"]),
    "an unknown format": (["--dataset=a", "--format=png,gif"], ["--format", "'gif'", "png, svg"]),
    "no format": (["--dataset=a", "--format="], ["--format"]),
    "an out that is a file": (["--dataset=a", "--out=file"], ["--out", "file"]),
    "an out in a file": (["--dataset=a", "--out=file/out"], ["--out", "file"]),
    "no run": (["--workdir=my_sets"], ["--workdir", "no finished run in my_sets", "config.json"]),
    "records of a run": (["--workdir=run", "--records=1,2"], ["--records", "--dataset"]),
    "a resolution of 0": (["--dataset=a", "--dpi=0"], ["dpi"]),
    "an unknown flag": (["--nonsense=1"], ["nonsense"]),
}


@pytest.mark.parametrize("name", AT_ONCE)
def test_bad_arguments_are_refused_in_one_line(name, folder):
    arguments, words = AT_ONCE[name]
    line = command.run("figures", *arguments, cwd=folder).refusal()
    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--records=0,99"], ["--records", "no record 99", "it has"]),
        (["--split=nosuch"], ["'nosuch'", "train, validation"]),
    ],
)
def test_what_the_data_set_does_not_have_is_refused_and_nothing_is_written(
    arguments, words, folder
):
    line = draw_sets(folder, *arguments, "--out=refused").refusal()
    assert [word for word in words if word not in line] == []
    assert not (folder / "refused").exists()


def test_help_and_refusals_come_before_the_heavy_imports(python):
    script = (
        "import sys, tfseq.figures.__main__\nprint({'tensorflow', 'matplotlib'} & set(sys.modules))"
    )
    assert python(script) == "set()\n"
