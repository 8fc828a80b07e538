"""A worker's queue: how long a request has waited, and which are turned away."""

import socket
import time
from collections.abc import Iterator

import pytest

from model_serving.turns import ONE_LATE_OF, Turns

WAITED = 0.05


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return a client and the server's end of its connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        client.sendall(b"asked before anybody accepts")
        time.sleep(WAITED)
        server, _ = listener.accept()
    with client, server:
        yield client, server


def test_wait_begins_when_the_request_arrives_not_when_it_is_accepted(pair):
    turns = Turns()
    turns.take(pair[1])
    assert turns.wait_seconds >= WAITED - 0.01  # the system counts in milliseconds


def test_next_request_of_a_connection_has_not_waited_for_the_first(pair):
    turns, (client, server) = Turns(), pair
    time.sleep(1)
    client.sendall(b"the next")
    turns.take(server)
    assert turns.wait_seconds < 1


def test_connection_that_cannot_tell_is_not_late():
    turns = Turns()
    one, other = socket.socketpair()
    with one, other:
        turns.take(one)
    assert not turns.is_refused(60, is_small=False)


@pytest.mark.parametrize(("is_small", "answered"), [(True, 10), (False, 0)])
def test_of_endless_late_requests_some_small_ones_are_answered(is_small, answered):
    turns = Turns()
    turns.wait_seconds = 2.0
    refused = [turns.is_refused(1.0, is_small) for _ in range(10 * ONE_LATE_OF)]
    assert answered == refused.count(False)


def test_who_waited_no_longer_than_allowed_is_answered():
    turns = Turns()
    turns.wait_seconds = 1.0
    assert not turns.is_refused(1.0, is_small=False)
