"""How every command starts and ends: what a killed one left is mended, and errors of users are one line."""

import errno
import os
import select
import signal
import sys
from collections.abc import Callable
from typing import Any

from stages.lib.errors import InputError, ServiceError, TrainingError
from stages.lib.recovery import end_with_parent, mend


def run_stage(main: Callable[[], None]) -> None:
    """Call a stage's `main` and turn the errors that users can act on into one line on stderr. SIGTERM is as Ctrl-C,
    and a stage that DVC started ends with DVC.

    Exit codes: 0 done, 2 bad input, 1 anything else that stopped the work (training diverged, disk full, remote gone),
    141 where the reader of the output, such as `head`, has seen enough.
    A defect of this project still shows its traceback.
    """
    if "DVC_STAGE" in os.environ:
        end_with_parent()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        mend()
        try:
            main()
        except SystemExit:
            sys.stdout.flush()
            raise
        sys.stdout.flush()
    except InputError as error:
        _fail(error, 2)
    except (TrainingError, ServiceError) as error:
        _fail(error, 1)
    except BrokenPipeError:
        if not _has_lost_reader():
            raise
        # Python writes what is left once more as it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            readable = error.errno == errno.EROFS or os.access(str(error.filename), os.R_OK)
            _fail(f"{error.filename or 'output'} is not {'writable' if readable else 'accessible'}", 2)
        if error.errno in (errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP) and error.filename:
            _fail(f"{error.filename}: {error.strerror}", 2)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _fail(f"{error.filename or 'output'}: no space left on the disk; free some and run the same command again", 1)
    except KeyboardInterrupt:
        _fail("interrupted; run the same command again to resume", 130)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _has_lost_reader() -> bool:
    """Whether it is standard output that nobody reads any more, and not some other pipe."""
    output = select.poll()
    output.register(sys.stdout, 0)  # 0: errors alone
    return bool(output.poll(0))


def _fail(message: object, code: int) -> None:
    print("error: " + " ".join(str(message).split()), file=sys.stderr)
    sys.exit(code)
