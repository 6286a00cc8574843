"""Reader of the official archive's pickles, which Python 2 wrote: plain values and arrays of bytes, and nothing else.

A pickle is a program, so it is checked before it runs: it may use only the few instructions that such values need, and
name only the three functions that an array needs, which are replaced by stand-ins.
"""

import io
import pickle
import pickletools
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.lib.errors import InputError

#: Instructions of protocol 2 for dictionaries, lists, tuples, bytes, integers and arrays.
OPCODES = frozenset(
    (
        *("PROTO", "STOP", "MARK", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
        *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "BINSTRING", "SHORT_BINSTRING"),
        *("EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS"),
        *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "GLOBAL", "REDUCE", "BUILD"),
    )
)
#: A batch of 10,000 images has about 50,000 instructions. Each can create an object, so their number bounds memory.
MOST_OPCODES = 200_000


def unpickle(content: bytes, where: str) -> Any:
    """A pickle of plain values and byte arrays. Raises InputError, beginning with `where`, for anything else."""
    try:
        _check_opcodes(content)
        loaded = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except pickle.UnpicklingError as error:
        raise InputError(f"{where}: holds more than the expected arrays ({error}); do not use this archive") from None
    except (EOFError, LookupError, AttributeError, TypeError, ValueError, OverflowError, struct.error) as error:
        raise InputError(f"{where}: not a pickle of the expected arrays ({type(error).__name__})") from None
    if not isinstance(loaded, dict):
        return loaded
    return {key: value.array if isinstance(value, _Array) else value for key, value in loaded.items()}


def _check_opcodes(content: bytes) -> None:
    for number, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        if opcode.name not in OPCODES:
            raise pickle.UnpicklingError(f"instruction {opcode.name}")
        # The unpickler's table of stored objects is as long as its largest index.
        if number >= MOST_OPCODES or (opcode.name == "LONG_BINPUT" and argument >= MOST_OPCODES):
            raise pickle.UnpicklingError(f"more than {MOST_OPCODES:,} instructions")


class _Dtype:
    """Stands in for numpy.dtype; unsigned bytes are the only type let in."""

    def __init__(self, code: Any, align: Any = None, copy: Any = None) -> None:  # noqa: ARG002
        if code not in (b"u1", "u1"):
            raise pickle.UnpicklingError(f"numbers of type {code!r}")

    def __setstate__(self, state: Any) -> None:
        pass


class _Array:
    """Stands in for numpy.ndarray while a pickle is read: `array` is a view of the pickled bytes."""

    def __init__(self) -> None:
        self.array: NDArray[np.uint8] | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran_order, content = state
        rows, columns = shape
        typed = isinstance(rows, int) and isinstance(columns, int) and isinstance(dtype, _Dtype)
        if not typed or not isinstance(content, bytes) or len(content) != rows * columns:
            raise pickle.UnpicklingError("an array whose bytes do not match its shape and type")
        self.array = np.frombuffer(content, np.uint8).reshape((rows, columns), order="F" if fortran_order else "C")


def _reconstruct(kind: Any, shape: Any, code: Any) -> _Array:  # noqa: ARG001
    if kind is not _Array:
        raise pickle.UnpicklingError("an array of an unknown class")
    return _Array()


class _Unpickler(pickle.Unpickler):
    KNOWN = {
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in for each of the three names that an array needs; no other name is looked up."""
        if (module, name) not in self.KNOWN:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return self.KNOWN[module, name]
