"""A network between a client and a server of this machine that is cut, silent, refuses or is slow."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any

CHUNK_BYTES = 16_384
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: closing sends a reset
Cut = tuple[int | None, int | None]  # bytes of requests, of answers, after which a connection is reset


class FaultProxy:
    """Passes bytes on to one port, from a thread of its own; what goes wrong may change at any moment."""

    def __init__(self, server_port: int) -> None:
        """Listen, and pass everything on."""
        self.next_cut: Callable[[], Cut] = lambda: (None, None)  # asked once for each connection
        self.is_silent = False
        self.latency_seconds = 0.0
        self.n_cut = 0
        self._server_port = server_port
        self._writers = set[asyncio.StreamWriter]()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.port = 0
        self.accept()

    def accept(self) -> None:
        """Take connections, at the same port as before."""
        self._wait_for(self._listen())

    def refuse(self) -> None:
        """Reset what is open, and listen no more."""
        self._wait_for(self._stop_listening())

    def close(self) -> None:
        """End everything."""
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait_for(self, step: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result(10)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        self._listener.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests, answers = self.next_cut()
        writers = [writer]
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
            writers.append(to_server)
            pumps = [asyncio.ensure_future(self._pump(reader, to_server, requests)),
                     asyncio.ensure_future(self._pump(from_server, writer, answers))]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # the server is away, or this end is being closed
        finally:
            for one in writers:
                one.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int | None) -> None:
        """Pass bytes on until one end closes, or `most` have passed."""
        left = most
        while chunk := await reader.read(CHUNK_BYTES):
            await asyncio.sleep(self.latency_seconds)
            while self.is_silent:
                await asyncio.sleep(0.02)
            passed = chunk if left is None else chunk[:left]
            writer.write(passed)
            await writer.drain()
            if left is not None:
                left -= len(passed)
                if not left:
                    self.n_cut += 1
                    return
