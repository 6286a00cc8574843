"""Download over HTTP: resumed from a partial file, retried with growing pauses, verified by hash."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stages.download.catalogue import Remote
from stages.lib.errors import InputError

ATTEMPTS = 6
#: Seconds before the second attempt; doubled each time, up to LONGEST_PAUSE.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
#: Seconds to wait for a connection, and for the next bytes of a response.
TIMEOUTS = (10, 60)
CHUNK = 1 << 18
BUSY = (408, 425, 429)


class NotServed(Exception):
    """No URL served the file; the message says what each answered."""


class _Interrupted(Exception):
    """Worth another attempt: no connection, an incomplete response, a server error."""


class _Refused(Exception):
    """Another attempt would get the same response."""


def fetch(remote: Remote, urls: Sequence[str], partial: Path) -> None:
    """Download `remote` to `partial` from the first of `urls` that serves it, resuming from the bytes already there.

    Raises InputError where a URL serves other bytes than the published ones (they are deleted, so that no later run
    resumes from them), NotServed where none serves the file; what has arrived stays for the next run.
    """
    failures = []
    partial.parent.mkdir(parents=True, exist_ok=True)
    for url in urls:
        try:
            resumed = partial.exists()
            _with_retries(url, remote, partial)
            mismatch = remote.mismatch(partial)
            if mismatch and resumed:
                # The bytes of the earlier run may belong to another version of the file.
                partial.unlink()
                _with_retries(url, remote, partial)
                mismatch = remote.mismatch(partial)
        except (_Refused, _Interrupted) as failure:
            failures.append(str(failure))
            continue
        if mismatch:
            partial.unlink()
            raise InputError(
                f"{url} serves {mismatch}; they were deleted; get {remote.name} elsewhere and set DATA_MIRROR"
            )
        return
    raise NotServed("; ".join(failures))


def _with_retries(url: str, remote: Remote, partial: Path) -> None:
    from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

    def announce(state: RetryCallState) -> None:
        print(f"{state.outcome.exception()}; retrying in {state.next_action.sleep:.0f} s", file=sys.stderr)

    Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE),
        retry=retry_if_exception_type(_Interrupted),
        before_sleep=announce,
        reraise=True,
    )(_transfer, url, remote, partial)


def _transfer(url: str, remote: Remote, partial: Path) -> None:
    """One request for the missing part of the file."""
    import requests
    from tqdm import tqdm

    have = partial.stat().st_size if partial.exists() else 0
    if have and have == remote.size:
        return
    if remote.size is not None and have > remote.size:
        have = 0
    # With compression in transit, the bytes counted here would not be those of Content-Range.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with _readable(url), requests.get(url, headers=headers, stream=True, timeout=TIMEOUTS) as response:
        status = response.status_code
        if status == requests.codes.requested_range_not_satisfiable and have:
            partial.unlink()
            raise _Interrupted(f"{url} has no bytes after the first {have:,}")
        if 400 <= status < 500 and status not in BUSY:
            raise _Refused(f"{url} answered {status} {response.reason}")
        if status not in (200, 206):
            raise _Interrupted(f"{url} answered {status} {response.reason}")
        # A server may ignore Range and send the whole file, which then replaces the partial one.
        start = have if status == 206 and _first_byte(response.headers.get("Content-Range", "")) == have else 0
        if status == 206 and start != have:
            partial.unlink()
            raise _Interrupted(f"{url} sent another range than requested")
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        if total is not None and remote.size not in (None, total):
            partial.unlink(missing_ok=True)
            raise _Refused(f"{url} serves {total:,} bytes where {remote.size:,} are published")
        with (
            partial.open("ab" if start else "wb") as file,
            tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=remote.name, disable=None) as bar,
        ):
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                file.write(chunk)
                bar.update(len(chunk))
    arrived = partial.stat().st_size
    if total is not None and arrived < total:
        raise _Interrupted(f"{url} stopped after {arrived:,} of {total:,} bytes")


def _first_byte(content_range: str) -> int | None:
    """5 for `bytes 5-9/10`."""
    first = content_range.removeprefix("bytes").strip().partition("-")[0]
    return int(first) if first.isdecimal() else None


@contextmanager
def _readable(url: str) -> Iterator[None]:
    """Turn errors of the HTTP libraries into _Refused or _Interrupted; other OSErrors, as of a full disk, pass."""
    import requests
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
        raise _Refused(f"{url}: {error}") from None
    except requests.ConnectionError as error:
        raise _Interrupted(f"{url}: no connection ({_root(error)})") from None
    except (requests.RequestException, HTTPError) as error:
        raise _Interrupted(f"{url}: interrupted ({_root(error)})") from None


def _root(error: BaseException) -> str:
    """The innermost reason, without the object addresses and nested errors that HTTP libraries wrap around it."""
    while True:
        inner = (
            getattr(error, "reason", None)
            or error.__cause__
            or next((argument for argument in error.args if isinstance(argument, BaseException)), None)
        )
        if not isinstance(inner, BaseException):
            return str(getattr(error, "strerror", None) or error).rpartition(">: ")[2] or type(error).__name__
        error = inner
