"""A chief and two workers share a search on one machine."""

import socket

import command

from tfseq.tuning import results


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def test_a_chief_and_two_workers_run_every_trial_once(flags, tmp_path):
    arguments = ("--study=mlp/dropout,mlp/initializer", "--seeds=2", *flags)
    meeting = {"KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": str(free_port())}
    processes = [
        command.start(
            "tuning.search", *arguments, cwd=tmp_path, KERASTUNER_TUNER_ID=name, **meeting
        )
        for name in ("chief", "worker0", "worker1")
    ]
    chief, *workers = [command.finish(process).check() for process in processes]
    folder = tmp_path / "studies" / "simulated_emg"
    rows = results.read(folder / "mlp" / "dropout")
    rows += results.read(folder / "mlp" / "initializer")
    keys = [(row["study"], row["arm"], row["seed"]) for row in rows]
    assert len(keys) == len(set(keys)) == 8
    assert " seed " not in chief.stdout
    assert sum(worker.stdout.count(" seed ") for worker in workers) == 8


def test_half_a_distributed_set_up_is_refused(flags, tmp_path):
    half = {"KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_TUNER_ID": "worker0"}
    done = command.run("tuning.search", "--study=cnn/head", *flags, cwd=tmp_path, **half)
    assert "KERASTUNER_ORACLE_PORT" in done.refusal()
