"""CSV and other text files of users, read with line numbers; pandas has none for what its parser accepts."""

import codecs
import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, PositiveInt

from stages.lib.config_model import Strict
from stages.lib.errors import InputError

#: A column by its name in the header, or, in a file without header, by its number from 1.
Column = Annotated[str, Field(min_length=1)] | PositiveInt
LARGEST_FILE = 2_000_000_000


class TextFormat(Strict):
    """encoding: as Python names it."""

    encoding: str = "utf-8"


class TableFormat(TextFormat):
    """delimiter: by default a tab in files called .tsv, else a comma · quotes: whether quotation marks enclose values;
    by default not where a tab is the delimiter.
    """

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    quotes: bool | None = None


class Row(NamedTuple):
    """The values of one record, by what they are to the task, and the line on which it begins."""

    line: int
    values: Mapping[str, str]


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """A text file, with its line ends as \\n. Raises InputError, naming line or byte, for one that is missing, empty or
    not text in this encoding.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder, where a file is expected")
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; correct the path") from None
    if size > LARGEST_FILE:
        raise InputError(f"{path}: {size:,} bytes; the most allowed is {LARGEST_FILE:,}")
    return decode_text(path.read_bytes(), str(path), encoding)


def decode_text(content: bytes, path: str, encoding: str = "utf-8") -> str:
    """The text of a file called `path`, as `read_text` returns it."""
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise InputError(f"{path}: encoding {encoding!r} is unknown; utf-8, cp1252 and latin-1 are common") from None
    if encoding == "utf-8" and content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputError(f"{path}: UTF-16 text; save it as UTF-8, or give format.encoding: utf-16")
    try:
        text = content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, line {line}: byte {content[error.start]:#04x} is not {encoding} text; save the file as UTF-8, or"
            f" give its format.encoding, such as {'cp1252' if encoding == 'utf-8' else 'utf-8'}"
        ) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{path}, line {line}: a null character; is this a text file?")
    if not text.strip():
        raise InputError(f"{path}: the file is empty")
    return text


def read_table(path: Path, columns: Mapping[str, Column], table: TableFormat) -> tuple[list[Row], int]:
    """The records of a file with their values in `columns`, stripped, and the number of blank lines, which are skipped.

    Raises InputError, naming file and line, for a column that is missing, a record with more or fewer values than the
    header, and a quotation mark that is not closed.
    """
    delimiter, quotes = _dialect(path, table)
    records, blank = _records(path, read_text(path, table.encoding), delimiter, quotes)
    numbered = {role: column for role, column in columns.items() if isinstance(column, int)}
    if numbered and len(numbered) < len(columns):
        raise InputError(f"{path}: give all columns by name, or all by number, which means that there is no header")
    if numbered:
        places = {role: column - 1 for role, column in numbered.items()}
        rows = [
            _row(path, line, record, places, len(record) if len(record) > max(places.values()) else 0)
            for line, record in records
        ]
    else:
        (line, header), *records = records
        header = [name.strip() for name in header]
        places = {role: _place(path, line, header, str(column), role, delimiter) for role, column in columns.items()}
        rows = [_row(path, line, record, places, len(header)) for line, record in records]
    if not rows:
        raise InputError(f"{path}: a header and no records; add some")
    return rows, blank


def read_numbers(
    path: Path, table: TableFormat, header: bool, columns: Sequence[str] = ()
) -> tuple[list[int], list[tuple[float, ...]]]:
    """The lines of a table's rows, and their numbers, of `columns` or of all. Raises InputError, naming file and line,
    for a value that is missing or no finite number, and for rows of different lengths.
    """
    delimiter, quotes = _dialect(path, table)
    records, _ = _records(path, read_text(path, table.encoding), delimiter, quotes)
    first, names = records[0]
    if header:
        records = records[1:]
        places = [_place(path, first, [name.strip() for name in names], name, "columns", delimiter) for name in columns]
    elif all(not _is_number(value) for value in names):
        raise InputError(f"{path}, line {first}: no numbers; are these names? Then give format.header: true")
    if not records:
        raise InputError(f"{path}: a header and no records; add some")
    rows = []
    for line, record in records:
        if len(record) != len(names):
            raise InputError(f"{path}, line {line}: {len(record)} values, but line {first} has {len(names)}")
        chosen = [record[place] for place in places] if columns else record
        rows.append(tuple(number(value.strip(), f"{path}, line {line}") for value in chosen))
    return [line for line, _ in records], rows


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _dialect(path: Path, table: TableFormat) -> tuple[str, bool]:
    delimiter = table.delimiter or ("\t" if path.suffix.lower() in (".tsv", ".tab") else ",")
    return delimiter, delimiter != "\t" if table.quotes is None else table.quotes


def _records(path: Path, text: str, delimiter: str, quotes: bool) -> tuple[list[tuple[int, list[str]]], int]:
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        strict=True,
        quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE,
    )
    records, blank, begun = [], 0, 1
    try:
        for record in reader:
            if any(field.strip() for field in record):
                records.append((begun, record))
            else:
                blank += 1
            begun = reader.line_num + 1
    except csv.Error as error:
        closed = "unexpected end" in str(error) or "field larger" in str(error)
        problem = "a quotation mark is not closed" if closed else str(error)
        raise InputError(
            f"{path}, line {begun}: {problem}; double the marks inside a value, or give format.quotes: false"
        ) from None
    return records, blank


def _place(path: Path, line: int, header: list[str], column: str, role: str, delimiter: str) -> int:
    if header.count(column) == 1:
        return header.index(column)
    if column in header:
        raise InputError(f"{path}, line {line}: two columns are called {column!r}; rename one")
    other = next((mark for mark in ";\t|," if mark != delimiter and len(header) == 1 and mark in header[0]), None)
    if other:
        raise InputError(f"{path}, line {line}: one column; is the delimiter {other!r}? Then give format.delimiter")
    shown = ", ".join(repr(name[:30]) for name in header[:8])
    raise InputError(
        f"{path}, line {line}: no column {column!r}; there are {shown}. Give format.{role}: the column's name, or its"
        " number where the file has no header"
    )


def _row(path: Path, line: int, record: list[str], places: Mapping[str, int], expected: int) -> Row:
    if len(record) != expected:
        wanted = expected or max(places.values()) + 1
        raise InputError(
            f"{path}, line {line}: {len(record)} values where {wanted} are expected; put a value with the delimiter in"
            " quotation marks"
        )
    return Row(line, {role: " ".join(record[place].split()) for role, place in places.items()})


def number(text: str, where: str) -> float:
    """A finite number. Raises InputError, beginning with `where`."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value - value != 0:
        hint = "; write a decimal point" if re.fullmatch(r"[+-]?\d+,\d+", text) else ""
        raise InputError(f"{where}: {text[:40]!r} is not a finite number{hint or '; correct or remove it'}")
    return value
