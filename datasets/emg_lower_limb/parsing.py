"""Reads the numbers of one published file, and says which line is wrong where one is."""

import csv
import io
import re
import statistics
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd

from tfseq.errors import UserError

_COLUMNS = 5
# Published files end in up to 22 incomplete rows. Many more are no rest but a lost channel.
_MOST_CUT_ROWS = 100
# The largest published file has 1.3 MB.
_MOST_BYTES = 2**25
_LARGEST = float(np.finfo(np.float32).max)
_EXPECTED = (
    f"expected rows of {_COLUMNS} tab-separated numbers: RF, BF, VM, ST in mV, FX in degrees"
)


def read_table(path: Path) -> tuple[np.ndarray, int]:
    """Reads a file, less its header, a constant sixth column and the rows cut short at its end.

    Args:
        path: A text file: a header, whose lines hold no tab, then tab-separated rows.

    Returns:
        (steps, 5) float64: RF, BF, VM, ST in mV and FX in degrees; and how many rows fewer than
        the header announces the file holds.

    Raises:
        UserError: If the file is not such a text, or is damaged; names the file and line.
    """
    lines = _lines(path)
    start = _first_row(path, lines)
    columns = statistics.mode(line.count(b"\t") for line in lines[start:]) + 1
    if columns not in (_COLUMNS, _COLUMNS + 1):
        _refuse(path, lines[start:], start + 1, columns)
    end = _end(path, lines, start, columns)
    table = _numbers(path, lines[start:end], start + 1, columns)
    announced = re.search(rb", (\d{1,15}) values", b"\n".join(lines[:start]))
    held = end - start + sum(bool(line.split(b"\t")[0].strip()) for line in lines[end:])
    return table, max(0, int(announced[1]) - held) if announced else 0


def _lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; {_EXPECTED}") from error
    if len(data) > _MOST_BYTES:
        raise UserError(f"{path}: is larger than {_MOST_BYTES >> 20} MiB; {_EXPECTED}")
    try:
        data.decode("utf-8")
        bad = data.find(b"\0")
    except UnicodeDecodeError as error:
        bad = error.start
    if bad >= 0:
        line = data.count(b"\n", 0, bad) + 1
        raise UserError(f"{path}: line {line}: byte 0x{data[bad]:02x} is not text; {_EXPECTED}")
    return data.split(b"\n")


def _first_row(path: Path, lines: list[bytes]) -> int:
    """The index of the first row. Header lines hold no tab and begin with a word."""
    for index, line in enumerate(lines):
        if b"\t" in line or re.match(rb"\s*[-+.\d]", line):
            return index
    raise UserError(f"{path}: holds no row of numbers; {_EXPECTED}")


def _end(path: Path, lines: list[bytes], start: int, columns: int) -> int:
    """The index after the last complete row."""
    end = len(lines)
    while end > start and _is_cut_short(lines[end - 1], columns):
        end -= 1
    if end == start:
        raise UserError(f"{path}: line {start + 1}: no row is complete; {_EXPECTED}")
    if sum(bool(line.strip()) for line in lines[end:]) > _MOST_CUT_ROWS:
        raise UserError(f"{path}: line {end + 1}: a value is missing from here on; {_EXPECTED}")
    return end


def _is_cut_short(line: bytes, columns: int) -> bool:
    if line.count(b"\t") > 2 * columns:
        return False
    fields = [field.strip() for field in line.split(b"\t")]
    # A lone sign or point is what is left of a number.
    held = [field for field in fields if field.strip(b"+-.")]
    return len(held) < columns and all(re.match(rb"[-+.\d]", field) for field in held)


def _numbers(path: Path, rows: list[bytes], first: int, columns: int) -> np.ndarray:
    """Returns (rows, 5) float64; `first` is the line number of the first row."""
    try:
        table = pd.read_csv(
            io.BytesIO(b"\n".join(rows)),
            sep="\t",
            header=None,
            dtype=np.float64,
            engine="c",
            quoting=csv.QUOTE_NONE,
            skip_blank_lines=False,
        ).to_numpy()
    except ValueError:
        _refuse(path, rows, first, columns)
    if table.shape != (len(rows), columns) or not (np.abs(table) <= _LARGEST).all():
        _refuse(path, rows, first, columns)
    changed = np.flatnonzero((table[:, _COLUMNS:] != table[0, _COLUMNS:]).any(axis=1))
    if changed.size:
        line = first + changed[0]
        raise UserError(f"{path}: line {line}: the sixth column is not constant; {_EXPECTED}")
    return table[:, :_COLUMNS]


def _refuse(path: Path, rows: list[bytes], first: int, columns: int) -> NoReturn:
    """Says what is wrong with the first row that is not as expected."""
    columns = _COLUMNS + (columns == _COLUMNS + 1)
    for line, row in enumerate(rows, first):
        count = row.count(b"\t") + 1
        if count != columns:
            found = f"the number of columns is {count}"
            raise UserError(f"{path}: line {line}: {found}; {_EXPECTED}")
        fields = [field.decode().strip() for field in row.split(b"\t")]
        for field in fields:
            if not _is_number(field):
                found = repr(field[:30]) if field else "nothing in a column"
                raise UserError(f"{path}: line {line}: found {found}; {_EXPECTED}")
    raise UserError(f"{path}: holds something that is not a number; {_EXPECTED}")


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) <= _LARGEST
    except ValueError:
        return False
