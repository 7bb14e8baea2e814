"""The formula behind `simulated_emg`: four records and the joint curve that they carry.

A joint angle swings in a cycle whose speed wanders. Two records are rectified and smoothed
envelopes of the muscle that drives it, two are raw signals of that muscle and its antagonist. The
label also creeps by a small amount that no record shows, so that no predictor can reach zero error.

Everything is drawn from `numpy.random.default_rng((seed, stream, chunk))`: any chunk of records can
be made on its own, in any order and in parallel, and is always the same.
"""

import collections
from collections.abc import Iterator
from concurrent import futures
from os import cpu_count

import numpy as np

RECORDS_PER_CHUNK = 50
STEPS_PER_SECOND = 1000
CREEP_VARIANCE = 0.01
"""Variance of the part of the label that no record shows: the least mean squared error possible."""

_LAG_STEPS = 2  # the second envelope is 2 ms behind the first
_LOW, _HIGH = 0.0, 4.0


def records(
    seed: int, stream: int, count: int, steps: int, workers: int | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the first `count` records of a stream.

    Threads do the work: numpy leaves the interpreter lock while it draws and calculates. At most
    one chunk more than there are workers is held.

    Args:
        seed: Seed of the data set.
        stream: Number of the split.
        count: Records to yield.
        steps: Time steps a record, 1 ms each.
        workers: Threads; one a processor if None. The records do not depend on it.

    Yields:
        waveform (4, steps) and label (steps,), float32.
    """
    workers = workers or cpu_count() or 1
    chunks = range(-(-count // RECORDS_PER_CHUNK))
    pending: collections.deque[futures.Future] = collections.deque()
    left = count
    with futures.ThreadPoolExecutor(workers) as pool:
        for chunk in chunks:
            pending.append(pool.submit(simulate_chunk, seed, stream, chunk, steps))
            if len(pending) <= workers and chunk + 1 < len(chunks):
                continue
            while pending and (len(pending) > workers or chunk + 1 == len(chunks)):
                waveforms, labels = pending.popleft().result()
                yield from zip(waveforms[:left], labels[:left], strict=True)
                left -= len(waveforms[:left])


def simulate_chunk(seed: int, stream: int, chunk: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns chunk number `chunk` of a stream.

    Args:
        seed: Seed of the data set.
        stream: Number of the split.
        chunk: Number of the chunk in the split.
        steps: Time steps a record, 1 ms each.

    Returns:
        waveforms (50, 4, steps) and labels (50, steps), float32.
    """
    random = np.random.default_rng((seed, stream, chunk))
    motion = _motion(random, steps + _LAG_STEPS)
    label = np.clip(motion[:, _LAG_STEPS:] + _creep(random, steps), _LOW, _HIGH)
    # Excitation leads the movement by 40 ms.
    slope = np.gradient(motion, axis=1) * STEPS_PER_SECOND
    drive = np.clip(motion + 0.04 * slope, 0.0, 4.4) / 4.0
    waveform = np.concatenate([_envelopes(random, drive), _raw_signals(random, drive)], axis=1)
    return waveform.astype(np.float32), label.astype(np.float32)


def _motion(random: np.random.Generator, steps: int) -> np.ndarray:
    frequency = _uniform(random, 0.5, 1.5)
    start = _uniform(random, 0.0, 1.0)
    amplitude = _uniform(random, 1.6, 1.9)
    harmonic = _uniform(random, -1.0, 1.0)
    shift = _uniform(random, 0.0, 2 * np.pi)
    wander = _moving_average(_ornstein_uhlenbeck(random, 0.25, 1.0, steps + 99), 100)
    time = np.arange(steps) / STEPS_PER_SECOND
    phase = 2 * np.pi * (start + frequency * time) + wander
    cycle = np.sin(phase) + 0.3 * harmonic * np.sin(2 * phase + shift)
    return 2.0 + amplitude * cycle / np.abs(cycle).max(axis=1, keepdims=True)


def _creep(random: np.random.Generator, steps: int) -> np.ndarray:
    deviation, time_constant, window = 0.1, 0.25, 60
    path = _ornstein_uhlenbeck(random, deviation, time_constant, steps + 2 * (window - 1))
    smooth = _moving_average(_moving_average(path, window), window)
    # Averaging shrinks the path; the triangular kernel and the autocovariance say by how much.
    kernel = np.convolve(np.full(window, 1 / window), np.full(window, 1 / window))
    lags = np.abs(np.subtract.outer(np.arange(len(kernel)), np.arange(len(kernel))))
    variance = kernel @ np.exp(-lags / (time_constant * STEPS_PER_SECOND)) @ kernel
    return smooth / (deviation * np.sqrt(variance)) * np.sqrt(CREEP_VARIANCE)


def _envelopes(random: np.random.Generator, drive: np.ndarray) -> np.ndarray:
    steps = drive.shape[1] - _LAG_STEPS
    gain = _uniform(random, 0.7, 1.05)
    artefact = _ornstein_uhlenbeck(random, 0.003, 0.3, steps)
    noise = 0.004 * random.standard_normal((2, RECORDS_PER_CHUNK, steps))
    first = 0.02 + 0.2 * gain * drive[:, _LAG_STEPS:] + artefact + noise[0]
    second = 0.02 + 0.2 * gain * 0.97 * drive[:, :-_LAG_STEPS] + artefact + noise[1]
    return np.clip(np.stack([first, second], axis=1), 0.0, 0.25)


def _raw_signals(random: np.random.Generator, drive: np.ndarray) -> np.ndarray:
    drive = drive[:, _LAG_STEPS:]
    biased = random.random((RECORDS_PER_CHUNK, 1, 1)) < 0.6
    noise = random.standard_normal((2, *drive.shape))
    agonist = (0.02 + 0.09 * drive) * noise[0]
    antagonist = (0.02 + 0.09 * (1.0 - np.minimum(drive, 1.0))) * noise[1]
    signals = np.stack([agonist, antagonist], axis=1)
    return np.where(biased, np.clip(0.3 + signals, 0.0, 0.6), np.clip(signals, -0.4, 0.4))


def _uniform(random: np.random.Generator, low: float, high: float) -> np.ndarray:
    return random.uniform(low, high, (RECORDS_PER_CHUNK, 1))


def _ornstein_uhlenbeck(
    random: np.random.Generator, deviation: float, time_constant: float, steps: int
) -> np.ndarray:
    """Stationary paths (records, steps); the time constant is in seconds."""
    decay = np.exp(-1.0 / (time_constant * STEPS_PER_SECOND))
    path = random.standard_normal((steps, RECORDS_PER_CHUNK))
    path[1:] *= np.sqrt(1.0 - decay**2)
    for step in range(1, steps):
        path[step] += decay * path[step - 1]
    return deviation * path.T


def _moving_average(path: np.ndarray, window: int) -> np.ndarray:
    total = np.cumsum(np.pad(path, ((0, 0), (1, 0))), axis=1)
    return (total[:, window:] - total[:, :-window]) / window
