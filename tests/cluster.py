"""Starts the workers of a cluster on this machine, as a supervisor does on several."""

import json
import socket

import command


def addresses(count):
    """Returns as many addresses on loopback that nobody listens at."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return [f"127.0.0.1:{port}" for port in ports]


def tf_config(workers, index):
    """Returns TF_CONFIG of a worker."""
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})


def start(cwd, *flags, each=((), ())):
    """Starts `tfseq.train` on two workers; `each` holds the flags of one alone."""
    workers = addresses(len(each))
    return [
        command.start(
            "train",
            "--config.strategy=multi_worker",
            *flags,
            *own,
            cwd=cwd,
            TF_CONFIG=tf_config(workers, index),
        )
        for index, own in enumerate(each)
    ]


def run(cwd, *flags, each=((), ())):
    """Runs `tfseq.train` on two workers to their ends."""
    return [command.finish(process) for process in start(cwd, *flags, each=each)]
