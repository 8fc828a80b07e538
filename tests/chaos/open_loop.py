"""Send requests at a steady rate, whether or not the ones before were answered; prints what came of them as JSON.

    python open_loop.py HOST:PORT RATE SECONDS HEAD_AND_BODY_FILE

The file holds one whole HTTP request. Each is sent on a connection that waits for nothing, a new one where there is
none. The times count from the moment at which a request was due, so that a late client does not flatter the server.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path

MOST_OPEN = 4_000
PATIENCE_SECONDS = 30.0


class Clients:
    """Connections to one server, and what was seen."""

    def __init__(self, address: str, request: bytes) -> None:
        """Begin without a connection."""
        self.host, self.port = address.rsplit(":", 1)
        self.request = request
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.statuses = Counter[str]()
        self.without_retry_after = 0
        self.seconds: dict[str, list[float]] = {}

    async def ask(self, due_at: float) -> None:
        """Send one request and read its answer."""
        try:
            reader, writer = self.idle.pop() if self.idle else await asyncio.open_connection(self.host, self.port)
            writer.write(self.request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
        except (OSError, asyncio.IncompleteReadError) as error:
            self.statuses[type(error).__name__] += 1
            return
        status = head.split(b" ")[1].decode()
        self.statuses[status] += 1
        self.without_retry_after += status == "503" and b"\r\nretry-after: " not in head
        self.seconds.setdefault(status, []).append(time.monotonic() - due_at)
        if b"connection: close" in head:
            writer.close()
        else:
            self.idle.append((reader, writer))


async def send(clients: Clients, rate: float, seconds: float) -> None:
    """Send rate · seconds requests, then wait for what is still open."""
    began, tasks = time.monotonic(), set[asyncio.Task[None]]()
    for number in range(int(rate * seconds)):
        due_at = began + number / rate
        if (wait := due_at - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        elif not number % 16:
            await asyncio.sleep(0)
        if len(tasks) >= MOST_OPEN:
            clients.statuses["not sent"] += 1
            continue
        tasks.add(task := asyncio.create_task(clients.ask(due_at)))
        task.add_done_callback(tasks.discard)
    if tasks:
        _, left = await asyncio.wait(tasks, timeout=PATIENCE_SECONDS)
        clients.statuses["no answer"] += len(left)


def main(address: str, rate: str, seconds: str, file: str) -> None:
    """Send, and print."""
    clients = Clients(address, Path(file).read_bytes())
    asyncio.run(send(clients, float(rate), float(seconds)))
    print(json.dumps({"statuses": clients.statuses, "without_retry_after": clients.without_retry_after,
                      "seconds": clients.seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
