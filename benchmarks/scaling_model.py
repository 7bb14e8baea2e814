"""What exchanging gradients costs a step, as a formula says it: nothing here was measured.

  python -m benchmarks.scaling_model

Ring all-reduce (Patarasuk and Yuan, 2009, "Bandwidth optimal all-reduce algorithms for clusters of
workstations"): each of n workers sends and receives 2 (n - 1) / n times the gradients, in 2 (n - 1)
messages one after the other. With 4 bytes a parameter, over a link of B bytes a second on which a
message takes a seconds to arrive:

    bytes = 4 * parameters * 2 (n - 1) / n
    seconds = bytes / B + 2 (n - 1) * a
"""

PARAMETERS = {"mlp": 216_022_000, "cnn": 199, "conv_ae": 1_034_320, "resnet": 47}
"""Trainable parameters, as `python -m tfseq.train` prints them."""

WORKERS = (8, 16, 32, 64, 128, 256, 512, 1024)

LINKS = {
    "10 Gbit/s, 50 us": (10e9 / 8, 50e-6),
    "100 Gbit/s, 10 us": (100e9 / 8, 10e-6),
    "400 Gbit/s, 5 us": (400e9 / 8, 5e-6),
}
"""Bytes a second and seconds a message: assumptions, not measurements."""


def volume(parameters: int, workers: int) -> float:
    """Returns the bytes that each worker sends in a step."""
    return 4 * parameters * 2 * (workers - 1) / workers


def seconds(parameters: int, workers: int, bandwidth: float, latency: float) -> float:
    """Returns how long a step's all-reduce takes.

    Args:
        parameters: Of the model.
        workers: How many share the work, one GPU each.
        bandwidth: Bytes a second of each worker's link.
        latency: Seconds until a message arrives.
    """
    return volume(parameters, workers) / bandwidth + 2 * (workers - 1) * latency


def table() -> str:
    """Returns the table, as Markdown."""
    lines = [
        "| model | GPUs | MB sent by each, a step | "
        + " | ".join(f"ms at {x}" for x in LINKS)
        + " |",
        "| --- | ---: | ---: |" + " ---: |" * len(LINKS),
    ]
    for model, parameters in PARAMETERS.items():
        for workers in WORKERS:
            times = (1e3 * seconds(parameters, workers, *link) for link in LINKS.values())
            sent = volume(parameters, workers) / 1e6
            row = [model, str(workers), f"{sent:.4g}", *(f"{time:.4g}" for time in times)]
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
