"""Times contenders in turn, each in a process of its own.

All are started, build their step and wait; then each does a few steps at a time, while the others
sleep. So they meet the same moods of the machine, and share neither threads nor memory. The first
step of a turn does not count: it fills caches again.
"""

import contextlib
import itertools
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.contenders import CALL_STEPS

_ROOT = Path(__file__).parents[1]


class Contender:
    """A process that waits for its turn.

    Args:
        what: Function of `benchmarks.contenders` and its arguments, as JSON can hold them.
        calls: Steps that each of its calls does.
    """

    def __init__(self, *what: Any, calls: int = 1) -> None:
        self._calls = calls
        command = [sys.executable, "-m", "benchmarks.turns", json.dumps(what)]
        self._start = time.perf_counter()
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )
        self._write(1)

    def wait(self) -> None:
        """Waits for the first step."""
        # Its seconds, in which it traces and compiles; and those with all imports before it.
        self.first_step = float(self._read()["seconds"][0])
        self.start = time.perf_counter() - self._start
        self._ask(1)

    def run(self, steps: int) -> list[float]:
        """Returns the milliseconds a step of so many calls, after one that does not count."""
        answer = self._ask(steps + 1)
        self.page_faults = answer["page_faults"]
        return [1000 * seconds / self._calls for seconds in answer["seconds"][1:]]

    def stop(self) -> None:
        """Ends the process, wherever it stands."""
        self._process.kill()

    def finish(self) -> float:
        """Ends the process and returns the most memory that it held, in GB."""
        memory = self._ask(0)["gigabytes"]
        self._process.kill()  # to end by itself takes seconds
        self._process.communicate()
        return memory

    def _ask(self, steps: int) -> dict[str, Any]:
        self._write(steps)
        return self._read()

    def _write(self, steps: int) -> None:
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        self._said.seek(0)
        reason = (self._said.read().strip().splitlines() or ["it ended"])[-1]
        raise RuntimeError(f"{' '.join(self._process.args)}: {reason}")


def compare(
    contenders: dict[Any, tuple], *, steps: int, turns: int, backend: str = "tensorflow"
) -> dict[Any, dict[str, Any]]:
    """Times contenders in turn.

    Args:
        contenders: By name, what `Contender` takes.
        steps: Calls of a turn that count.
        turns: Turns of each.
        backend: Of Keras. With "jax", where cores are many and time is short, all start at once,
            and one that cannot run is named and left out.

    Returns:
        By name: `milliseconds` (median of all steps), `turns` (median of each turn),
        `first_step_seconds`, `start_seconds` (the process until then), `page_faults` (of a call in
        the last turn) and `peak_gigabytes`.
    """
    calls = CALL_STEPS[backend]
    with contextlib.ExitStack() as stack:
        running: dict[Any, Contender] = {}
        for name, what in contenders.items():
            running[name] = Contender(*what, calls=calls)
            stack.callback(running[name].stop)
            if backend == "tensorflow":
                running[name].wait()
                _say_start(name, running[name])
        if backend == "jax":
            running = {name: each for name, each in running.items() if _starts(name, each)}
        times: dict[str, list[list[float]]] = {name: [] for name in running}
        for turn in range(turns):
            print(f"  turn {turn + 1}/{turns}", flush=True)
            for name, contender in running.items():
                time.sleep(0.05)  # threads of the last one fall asleep
                times[name].append(contender.run(steps))
        return {
            name: {
                "milliseconds": statistics.median(itertools.chain(*times[name])),
                "turns": [statistics.median(turn) for turn in times[name]],
                "first_step_seconds": contender.first_step,
                "start_seconds": contender.start,
                "page_faults": contender.page_faults,
                "peak_gigabytes": contender.finish(),
            }
            for name, contender in running.items()
        }


def _starts(name: Any, contender: Contender) -> bool:
    try:
        contender.wait()
    except RuntimeError as error:
        print(f"left out: {error}", flush=True)
        return False
    _say_start(name, contender)
    return True


def _say_start(name: Any, contender: Contender) -> None:
    title = name if isinstance(name, str) else ", ".join(name)
    print(f"  {title}: first step after {contender.start:.1f} s", flush=True)


def _serve(what: str) -> None:
    """The process of a contender: does as many steps as it is told to, and says how long."""
    from benchmarks import contenders

    function, *arguments = json.loads(what)
    step = getattr(contenders, function)(*arguments)
    for line in sys.stdin:
        seconds, faults = [], _page_faults()
        for _ in range(int(line)):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        faults = (_page_faults() - faults) // max(1, int(line))
        said = {"seconds": seconds, "page_faults": faults, "gigabytes": _peak()}
        print(json.dumps(said), flush=True)


def _page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def _peak() -> float:
    """The most memory that this process has held, in GB: the GPU's, if it computes there."""
    jax, torch = sys.modules.get("jax"), sys.modules.get("torch")
    if jax and jax.default_backend() == "gpu":
        return jax.local_devices()[0].memory_stats()["peak_bytes_in_use"] / 1e9
    if torch and torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated() / 1e9
    # getrusage's begins with its parent's.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 / 1e9


if __name__ == "__main__":
    _serve(sys.argv[1])
