"""Clients without number: each asks again as soon as it is answered."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

GIVE_UP_SECONDS = 60


@dataclass
class Seen:
    """What all clients saw together."""

    statuses: Counter[int | str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)  # of answers 200
    retry_after: set[str | None] = field(default_factory=set)  # of answers 503


def flood(port: int, request: bytes, n_clients: int, seconds: float) -> Seen:
    """Let `n_clients` send the same HTTP request over and over, each over one connection."""
    seen = Seen()
    asyncio.run(_flood(port, request, n_clients, time.monotonic() + seconds, seen))
    return seen


async def _flood(port: int, request: bytes, n_clients: int, end: float, seen: Seen) -> None:
    await asyncio.gather(*(_ask_until(port, request, end, seen) for _ in range(n_clients)))


async def _ask_until(port: int, request: bytes, end: float, seen: Seen) -> None:
    try:
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + end - time.monotonic() + GIVE_UP_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while time.monotonic() < end:
                began = time.monotonic()
                writer.write(request)
                status, headers = await _read_answer(reader)
                seen.statuses[status] += 1
                if status == 200:
                    seen.seconds.append(time.monotonic() - began)
                elif status == 503:
                    seen.retry_after.add(headers.get("retry-after"))
            writer.close()
    except (OSError, EOFError) as error:  # a timeout is an OSError, too
        seen.statuses[type(error).__name__] += 1


async def _read_answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines if line)
    await reader.readexactly(int(headers["content-length"]))
    return int(status.split()[1]), headers
