"""The scorer's gunicorn worker: gevent's, in which no connection is answered at the cost of another."""

from functools import partial
from typing import Any

from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.workers.ggevent import GeventWorker

MOST_ACCEPTED = 16  # connections at each look at the listening socket


class FairWorker(GeventWorker):
    """gunicorn's gevent worker, with turns.

    As it comes, a client that sends its next request at once is answered again and again, since that request is there
    before the worker looks at others; and one new connection is accepted each time that all ready requests are done.
    """

    def server_class(self, listener: Any, spawn: Pool, **_unused: Any) -> StreamServer:
        """Return the server of a listening socket, as gunicorn asks for one."""
        server = StreamServer(listener, handle=partial(self.handle, listener), spawn=spawn)
        server.max_accept = MOST_ACCEPTED
        return server

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Answer one request when its turn comes."""
        self.app.turns.take(sock)
        super().handle_request(listener_name, req, sock, addr)
