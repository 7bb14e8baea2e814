"""Times contenders in turn, each in a process of its own.

All are started, build their step and wait; then each does a few steps at a time, while the others
sleep. So they meet the same moods of the machine, and share neither threads nor memory. The first
step of a turn does not count: it fills caches again.
"""

import contextlib
import itertools
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]


class Contender:
    """A process that waits for its turn.

    Args:
        what: Function of `benchmarks.contenders` and its arguments, as JSON can hold them.
    """

    def __init__(self, *what: Any) -> None:
        command = [sys.executable, "-m", "benchmarks.turns", json.dumps(what)]
        start = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        # Seconds of the first step, which traces and compiles; and with all imports before it.
        self.first_step = float(self._ask(1)["seconds"][0])
        self.start = time.perf_counter() - start
        self._ask(1)

    def run(self, steps: int) -> list[float]:
        """Returns the milliseconds of so many steps, after one that does not count."""
        return [1000 * seconds for seconds in self._ask(steps + 1)["seconds"][1:]]

    def stop(self) -> None:
        """Ends the process, wherever it stands."""
        self._process.kill()

    def finish(self) -> float:
        """Ends the process and returns the most memory that it held, in GB."""
        memory = self._ask(0)["gigabytes"]
        self._process.communicate()
        return memory

    def _ask(self, steps: int) -> dict[str, Any]:
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError(f"{' '.join(self._process.args)} ended")


def compare(contenders: dict[str, tuple], *, steps: int, turns: int) -> dict[str, dict[str, Any]]:
    """Times contenders in turn.

    Args:
        contenders: By name, what `Contender` takes.
        steps: Steps of a turn that count.
        turns: Turns of each.

    Returns:
        By name: `milliseconds` (median of all steps), `turns` (median of each turn),
        `first_step_seconds`, `start_seconds` (the process until then) and `peak_gigabytes`.
    """
    with contextlib.ExitStack() as stack:
        running = {name: Contender(*what) for name, what in contenders.items()}
        for contender in running.values():
            stack.callback(contender.stop)
        times: dict[str, list[list[float]]] = {name: [] for name in running}
        for _ in range(turns):
            for name, contender in running.items():
                time.sleep(0.05)  # threads of the last one fall asleep
                times[name].append(contender.run(steps))
        return {
            name: {
                "milliseconds": statistics.median(itertools.chain(*times[name])),
                "turns": [statistics.median(turn) for turn in times[name]],
                "first_step_seconds": contender.first_step,
                "start_seconds": contender.start,
                "peak_gigabytes": contender.finish(),
            }
            for name, contender in running.items()
        }


def _serve(what: str) -> None:
    """The process of a contender: does as many steps as it is told to, and says how long."""
    from benchmarks import contenders

    function, *arguments = json.loads(what)
    step = getattr(contenders, function)(*arguments)
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        print(json.dumps({"seconds": seconds, "gigabytes": _peak()}), flush=True)


def _peak() -> float:
    """The most memory that this process has held, in GB; getrusage's begins with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 / 1e9


if __name__ == "__main__":
    _serve(sys.argv[1])
