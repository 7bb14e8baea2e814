"""`python -m benchmarks.reproduce` makes its table of the runs that are done."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_runs_that_are_done_are_not_done_again(tmp_path):
    for seed, error in enumerate((0.2, 0.4)):
        folder = tmp_path / "simulated_emg" / "cnn-time-tuned" / str(seed)
        folder.mkdir(parents=True)
        evaluation = {"metrics": {"mse": error}, "baselines": {"mean": {"mse": 2.0}}}
        (folder / "evaluation.json").write_text(json.dumps(evaluation))
    (folder / "seconds.txt").write_text("90\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.reproduce"),
            *("--only=cnn time tuned", "--seeds=2", f"--workdir={tmp_path}"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[2:] == [
        "| cnn time tuned | 0.2000, 0.4000 | 0.3000 | 0.150 | 1.5 |"
    ]
