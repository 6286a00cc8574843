"""Files over HTTP: resumed, retried, verified."""

import functools
import gzip
import hashlib
import http.server
import itertools
from pathlib import Path

import pytest
from download.helpers import BODY, Server, published, ranged, status, whole

from stages.download import transfer
from stages.download.catalogue import Remote
from stages.download.transfer import NotServed, fetch
from stages.lib.errors import InputError


def test_a_partial_file_is_continued(server: Server) -> None:
    server.answers = [ranged]
    Path("part").write_bytes(BODY[:1000])
    fetch(published(), [server.url], Path("part"))
    assert Path("part").read_bytes() == BODY
    assert server.ranges == ["bytes=1000-"]


def test_a_server_that_ignores_range_is_read_from_the_start(server: Server) -> None:
    server.answers = [whole]
    Path("part").write_bytes(BODY[:1000])
    fetch(published(), [server.url], Path("part"))
    assert Path("part").read_bytes() == BODY
    assert len(server.ranges) == 1


def test_a_server_that_dies_half_way_is_asked_for_the_rest(server: Server) -> None:
    server.answers = [functools.partial(ranged, upto=300_000), functools.partial(ranged, upto=700_000), ranged]
    fetch(published(), [server.url], Path("part"))
    assert Path("part").read_bytes() == BODY
    assert server.ranges[0] is None
    assert [int(text.removeprefix("bytes=").rstrip("-")) for text in server.ranges[1:]] == [300_000, 700_000]


def test_a_server_in_trouble_is_asked_again(server: Server) -> None:
    server.answers = [status(503), status(429), ranged]
    fetch(published(), [server.url], Path("part"))
    assert Path("part").read_bytes() == BODY


def test_pauses_grow(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(transfer, "FIRST_PAUSE", 1.0)
    monkeypatch.setattr("tenacity.nap.time.sleep", pauses.append)
    server.answers = [status(500)]
    with pytest.raises(NotServed):
        fetch(published(), [server.url], Path("part"))
    assert len(pauses) == transfer.ATTEMPTS - 1
    assert all(later == 2 * sooner for sooner, later in itertools.pairwise(pauses))


def test_a_missing_file_is_not_asked_for_again_but_at_the_next_address(server: Server) -> None:
    server.answers = [status(404), ranged]
    fetch(published(), [f"{server.url}/gone", f"{server.url}/here"], Path("part"))
    assert server.paths == ["/gone", "/here"]
    assert Path("part").read_bytes() == BODY


def test_an_md5_is_checked_where_nothing_else_is_published(server: Server) -> None:
    server.answers = [ranged]
    good = Remote(name="x", md5=hashlib.md5(BODY).hexdigest())
    fetch(good, [server.url], Path("part"))
    assert Path("part").read_bytes() == BODY
    with pytest.raises(InputError, match="md5"):
        fetch(Remote(name="x", md5="0" * 32), [server.url], Path("other"))
    assert not Path("other").exists()


def test_bytes_of_another_version_do_not_spoil_the_file(server: Server) -> None:
    server.answers = [ranged]
    Path("part").write_bytes(b"an older version of this file")
    fetch(published(), [server.url], Path("part"))
    assert Path("part").read_bytes() == BODY


@pytest.mark.parametrize("extra", [0, 1, 5000])
def test_a_partial_file_that_is_long_enough_or_too_long(server: Server, extra: int) -> None:
    server.answers = [ranged]
    Path("part").write_bytes(BODY + bytes(extra))
    fetch(published(), [server.url], Path("part"))
    assert Path("part").read_bytes() == BODY
    assert len(server.ranges) == (1 if extra else 0)


def test_a_partial_file_longer_than_one_of_unknown_size(server: Server) -> None:
    server.answers = [ranged]
    Path("part").write_bytes(BODY + b"more")
    fetch(Remote(name="x", sha256=hashlib.sha256(BODY).hexdigest()), [server.url], Path("part"))
    assert Path("part").read_bytes() == BODY


def test_a_wrong_size_is_refused_before_the_bytes_come(server: Server) -> None:
    server.answers = [functools.partial(ranged, body=BODY[:-7])]
    with pytest.raises(NotServed, match="bytes where"):
        fetch(published(), [server.url], Path("part"))
    assert not Path("part").exists()


def test_a_compressing_server_does_not_change_the_bytes(server: Server) -> None:

    packed = gzip.compress(BODY)

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(packed)))
        handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        handler.wfile.write(packed)

    server.answers = [answer]
    fetch(published(packed), [server.url], Path("part"))
    assert Path("part").read_bytes() == packed
