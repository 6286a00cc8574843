"""A file over HTTP: resumed where a partial one lies, retried with growing pauses, recognised by its hash."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stages.download.catalogue import Remote
from stages.lib.errors import InputError

ATTEMPTS = 6
#: Seconds before the second attempt; doubled before each further one, up to LONGEST_PAUSE.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
#: Seconds to wait for a connection, and for the next bytes of an answer.
TIMEOUTS = (10, 60)
CHUNK = 1 << 18
BUSY = (408, 425, 429)


class NotServed(Exception):
    """None of the addresses gave the file; the message says what each answered."""


class _Interrupted(Exception):
    """Worth another attempt: no connection, an answer cut short, a server in trouble."""


class _Refused(Exception):
    """Another attempt would get the same answer."""


def fetch(remote: Remote, urls: Sequence[str], partial: Path) -> None:
    """Bring `remote` to `partial`, trying `urls` in order and going on from the bytes that already lie there.

    Raises InputError where an address serves other bytes than published (they are deleted, so that no later run builds
    on them), NotServed where no address serves any; then what has come so far stays for the next run.
    """
    answers = []
    partial.parent.mkdir(parents=True, exist_ok=True)
    for url in urls:
        try:
            resumed = partial.exists()
            _with_retries(url, remote, partial)
            flaw = remote.flaw(partial)
            if flaw and resumed:
                # The bytes of the earlier run may be of another version of the file, so they get no second chance.
                partial.unlink()
                _with_retries(url, remote, partial)
                flaw = remote.flaw(partial)
        except (_Refused, _Interrupted) as answer:
            answers.append(str(answer))
            continue
        if flaw:
            partial.unlink()
            raise InputError(f"{url} serves {flaw}; deleted it, get {remote.name} elsewhere and set DATA_MIRROR")
        return
    raise NotServed("; ".join(answers))


def _with_retries(url: str, remote: Remote, partial: Path) -> None:
    from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

    def announce(state: RetryCallState) -> None:
        print(f"{state.outcome.exception()}; again in {state.next_action.sleep:.0f} s", file=sys.stderr)

    Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE),
        retry=retry_if_exception_type(_Interrupted),
        before_sleep=announce,
        reraise=True,
    )(_transfer, url, remote, partial)


def _transfer(url: str, remote: Remote, partial: Path) -> None:
    """One request for what is missing of the file."""
    import requests
    from tqdm import tqdm

    have = partial.stat().st_size if partial.exists() else 0
    if have and have == remote.size:
        return
    if remote.size is not None and have > remote.size:
        have = 0
    # Compressing on the way would make the bytes counted here and those in Content-Range two different things.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with _readable(url), requests.get(url, headers=headers, stream=True, timeout=TIMEOUTS) as answer:
        status = answer.status_code
        if status == requests.codes.requested_range_not_satisfiable and have:
            partial.unlink()
            raise _Interrupted(f"{url} has no more than {have:,} bytes")
        if 400 <= status < 500 and status not in BUSY:
            raise _Refused(f"{url} answered {status} {answer.reason}")
        if status not in (200, 206):
            raise _Interrupted(f"{url} answered {status} {answer.reason}")
        # A server may ignore Range and send the whole file: then what lies there is overwritten, not added to.
        start = have if status == 206 and _first_byte(answer.headers.get("Content-Range", "")) == have else 0
        if status == 206 and start != have:
            partial.unlink()
            raise _Interrupted(f"{url} sent another part than the one asked for")
        length = answer.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        if total is not None and remote.size not in (None, total):
            partial.unlink(missing_ok=True)
            raise _Refused(f"{url} serves {total:,} bytes where {remote.size:,} are published")
        with (
            partial.open("ab" if start else "wb") as file,
            tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=remote.name, disable=None) as bar,
        ):
            for chunk in answer.raw.stream(CHUNK, decode_content=False):
                file.write(chunk)
                bar.update(len(chunk))
    arrived = partial.stat().st_size
    if total is not None and arrived < total:
        raise _Interrupted(f"{url} broke off after {arrived:,} of {total:,} bytes")


def _first_byte(content_range: str) -> int | None:
    """5 for `bytes 5-9/10`."""
    first = content_range.removeprefix("bytes").strip().partition("-")[0]
    return int(first) if first.isdecimal() else None


@contextmanager
def _readable(url: str) -> Iterator[None]:
    """Turn what the HTTP libraries raise into _Refused or _Interrupted; a full disk passes through."""
    import requests
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
        raise _Refused(f"{url}: {error}") from None
    except requests.ConnectionError as error:
        raise _Interrupted(f"{url}: no connection ({_root(error)})") from None
    except (requests.RequestException, HTTPError) as error:
        raise _Interrupted(f"{url}: broke off ({_root(error)})") from None


def _root(error: BaseException) -> str:
    """The innermost reason, without the object addresses and nested calls that HTTP libraries wrap around it."""
    while True:
        inner = (
            getattr(error, "reason", None)
            or error.__cause__
            or next((argument for argument in error.args if isinstance(argument, BaseException)), None)
        )
        if not isinstance(inner, BaseException):
            return str(getattr(error, "strerror", None) or error).rpartition(">: ")[2] or type(error).__name__
        error = inner
