"""What a killed process may have left behind, mended before work starts; and processes that end with their parent.

DVC writes dvc.lock and its list of running stages, `.dvc/tmp/rwlock`, in place. A kill in the middle leaves them cut
off, and every later DVC command refuses to work. Each stage, and `python -m stages.reproduce`, therefore keeps a copy
of a complete dvc.lock, puts it back where the file is cut off, and removes an unreadable rwlock.
"""

import json
import os
import select
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

from stages.lib.files import atomic_file

LOCKS = tuple(Path(folder, "dvc.lock") for folder in ("", "full", "own", "own/data", "own/reports"))
RUNNING = Path(".dvc", "tmp", "rwlock")
COPIES = Path(".dvc", "tmp", "lock-copies")
#: A file that nobody has written to for so long is not being written. DVC takes a second for all of dvc.lock.
QUIET_SECONDS = 2.0
#: Of these, some run the one command of `sh -c` in their own place and some (dash) wait for it.
SHELLS = {"ash", "bash", "dash", "fish", "ksh", "sh", "zsh"}


def mend(root: Path = Path()) -> None:
    """Restore a dvc.lock that is cut off and remove an unreadable rwlock, with a line on stderr for each."""
    # Who may only read can still ask for a prediction.
    if not os.access(root / ".dvc", os.W_OK):
        return
    for name in LOCKS:
        path, copy = root / name, root / COPIES / name
        if not _is_cut_off(path):
            _keep(path, copy)
        elif _settled(path) and _is_cut_off(path):
            if copy.exists():
                with atomic_file(path) as temporary:
                    shutil.copy2(copy, temporary)
                _say(f"{name} was cut off by a killed process; its last complete copy is back")
            else:
                path.unlink()
                _say(f"{name} was cut off by a killed process and is removed; DVC makes it again")
    path = root / RUNNING
    if path.is_symlink() and not path.readlink().parent.exists():  # it was in memory, on another machine
        path.unlink()
    path = path.resolve()
    if _is_unreadable(path) and _settled(path) and _is_unreadable(path):
        path.unlink()
        _say(f"{RUNNING} was cut off by a killed process and is removed")


def end_with_parent() -> None:
    """Have this process killed (Linux) when the one that started it is gone; a shell between them does not count."""
    if not hasattr(os, "pidfd_open"):
        return
    parent = os.getppid()
    try:
        ends = [os.pidfd_open(parent)]
        name, above = _name_and_parent(parent)
        if name in SHELLS:
            ends.append(os.pidfd_open(above))
    except (FileNotFoundError, ProcessLookupError):  # it is gone already
        os.kill(os.getpid(), signal.SIGKILL)
    threading.Thread(target=_killed_after, args=(ends,), name="parent", daemon=True).start()


def _name_and_parent(process: int) -> tuple[str, int]:
    """From /proc/PID/stat, `PID (name) state parent …`, where the name may itself have parentheses (proc(5))."""
    before, _, after = Path("/proc", str(process), "stat").read_text().rpartition(")")
    return before.partition("(")[2], int(after.split()[1])


def _killed_after(ends: list[int]) -> None:
    """Wait until one of these processes, given as file descriptors, has ended (pidfd_open(2))."""
    waiting = select.poll()
    for end in ends:
        waiting.register(end, select.POLLIN)
    waiting.poll()
    os.kill(os.getpid(), signal.SIGKILL)


def _is_cut_off(path: Path) -> bool:
    """Whether a dvc.lock lacks its end. DVC's last line ends with a line break, and a write is cut inside a line."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        return file.read(1) != b"\n"


def _keep(path: Path, copy: Path) -> None:
    if not path.exists():
        return
    state = path.stat()
    if not copy.exists() or (copy.stat().st_mtime_ns, copy.stat().st_size) != (state.st_mtime_ns, state.st_size):
        with atomic_file(copy) as temporary:
            shutil.copy2(path, temporary)


def _is_unreadable(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except FileNotFoundError:
        return False
    except ValueError:
        return True
    return False


def _settled(path: Path) -> bool:
    """Wait until nobody has written to a file for a while; False where it is gone by then."""
    while path.exists():
        left = path.stat().st_mtime + QUIET_SECONDS - time.time()
        if left <= 0:
            return True
        time.sleep(min(left, QUIET_SECONDS))
    return False


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
