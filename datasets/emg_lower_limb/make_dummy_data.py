"""Writes dummy_data/: invented recordings that show every defect of the published files.

Run `python -m tfseq.datasets.emg_lower_limb.make_dummy_data` to write them again. They are always
the same.
"""

import shutil
import sys
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).with_name("dummy_data")

_MUSCLES = ("RF", "BF", "VM", "ST")


def write(folder: Path) -> None:
    """Writes the recordings to `folder`/SEMG_DB1/, instead of those that are there."""
    shutil.rmtree(folder / "SEMG_DB1", ignore_errors=True)
    random = np.random.default_rng(0)
    # Ends in rows that hold nothing but the angle, one of them with a slip of the keyboard.
    standing = _text("1Npie", _rows(random, 4500), rest=["\t\t\t\t1", "\t\t\t\t1V", "\t\t\t\t1"])
    files = {
        "1Npie": standing,
        "2Npie": standing,  # the same samples under another name
        "9Amar": _text("9Amar", _rows(random, 5000, mirrored=True), switches=True),
        "1Asen": _text("1Asen", _rows(random, 200, mirrored=True)),  # shorter than a record
        "4Nmar": _text("4Nmar", _rows(random, 4500, mirrored=True), rest=["\t\t\t\t-1"] * 20),
        "5Nsen": _text("5Nsen", _rows(random, 4200), rest=["0\t0.1\t0\t-0.1\t"]),
    }
    for name, text in files.items():
        path = folder / "SEMG_DB1" / f"{name[1]}_TXT" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def _rows(random: np.random.Generator, steps: int, *, mirrored: bool = False) -> list[str]:
    """Four noisy muscles in mV, to 0.1, and a knee that bends by 60 degrees every 2 seconds."""
    bend = 0.5 - 0.5 * np.cos(np.pi * np.arange(steps) / 1000)
    muscles = random.normal(scale=0.05 + 0.2 * bend, size=(4, steps))
    tenths = np.rint(10 * muscles).astype(int)
    degrees = np.rint(60 * bend).astype(int) * (-1 if mirrored else 1)
    return [
        "\t".join([*(f"{value / 10:g}" for value in row), f"{angle}"])
        for row, angle in zip(tenths.T, degrees, strict=True)
    ]


def _text(
    name: str, rows: list[str], *, switches: bool = False, rest: list[str] | None = None
) -> str:
    """A file as published: a header, rows, incomplete rows, and a row of tabs.

    `switches` adds the sixth, constant column, and the header line that goes with it.
    """
    channels = [*((muscle, "mV") for muscle in _MUSCLES), ("FX", "deg")]
    header = [f"File Name: {name}.log"]
    header += [
        f"Channel {i}: '{title}', {len(rows)} values, engineering units: {unit}, no filters."
        for i, (title, unit) in enumerate(channels, 1)
    ]
    if switches:
        header.append(f"Digitals combined (event=16, d=8, c=4, b=2, a=1): {len(rows)} values, .")
        rows = [f"{row}\t31" for row in rows]
    tabs = "\t" * rows[0].count("\t")
    return "\r\n".join([*header, "", *rows, *(rest or []), tabs, ""])


if __name__ == "__main__":
    write(FOLDER)
    sys.stdout.write(f"Wrote {FOLDER}\n")
