"""A small authoritative name server on loopback, so that the demo asks real questions and nobody else's server.

``python examples/responder.py --zone examples/zone.example --port 0`` prints the port it took as its first line,
answers over UDP and TCP, and stops on SIGTERM, or when its standard input is a pipe that is closed.

It answers from one file that holds several zones (each begins with ``$ORIGIN``): NXDOMAIN, NODATA and CNAME as
RFC 1034 §4.3.2 and RFC 2308 §2 have them, truncation as RFC 2181 §9 and RFC 6891 §6.2.5.  It refuses every name
outside its zones: it knows nothing of them, and "no such name" would be a claim.
"""

import argparse
import asyncio
import os
import re
import signal
import stat
import struct
import sys
import threading
from pathlib import Path
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone

LARGEST_UDP = 1232
"""Octets; what DNS Flag Day 2020 advises, so that no answer is cut into fragments."""
LARGEST_TCP = 65535  # RFC 1035 §4.2.2: two octets tell the length
LONGEST_CHAIN = 8
TCP_SECONDS = 10.0


class Zones:
    """The records of one file, and what they say to a question."""

    def __init__(self, text: str) -> None:
        parts = re.split(r"^(?=\$ORIGIN )", text, flags=re.MULTILINE)[1:]
        zones = [dns.zone.from_text(part, relativize=False) for part in parts]
        self._apexes = {zone.origin: zone for zone in zones if zone.origin is not None}
        # RFC 4592 §2.2.2: a name without records of its own exists if a name below it does.
        names = {name for zone in zones for name in zone.nodes}
        self._exists = {name.split(depth)[1] for name in names for depth in range(1, len(name) + 1)}

    def _rrset(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
        apex = self._apex(name)
        return None if apex is None else self._apexes[apex].get_rrset(name, rdtype)

    def _apex(self, name: dns.name.Name) -> dns.name.Name | None:
        candidates = (name.split(depth)[1] for depth in range(len(name), 0, -1))
        return next((n for n in candidates if n in self._apexes), None)

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """The response to ``query``."""
        response = dns.message.make_response(query, our_payload=LARGEST_UDP)
        if query.opcode() != dns.opcode.QUERY:
            response.set_rcode(dns.rcode.NOTIMP)
        elif len(query.question) != 1:
            response.set_rcode(dns.rcode.FORMERR)
        elif query.question[0].rdclass != dns.rdataclass.IN:
            response.set_rcode(dns.rcode.REFUSED)
        else:
            self._fill(response, query.question[0].name, query.question[0].rdtype)
        return response

    def _fill(self, response: dns.message.Message, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> None:
        if self._apex(name) is None:
            response.set_rcode(dns.rcode.REFUSED)
            return
        response.flags |= dns.flags.AA
        for _ in range(LONGEST_CHAIN):
            if found := self._rrset(name, rdtype):
                response.answer.append(found)
                return
            alias = self._rrset(name, dns.rdatatype.CNAME)
            if alias is None or alias in response.answer:  # the second: a loop
                break
            response.answer.append(alias)
            name = alias[0].target
        apex = self._apex(name)
        if apex is None:
            return  # the alias leads out of our zones: whoever asks goes on elsewhere
        if name not in self._exists:
            response.set_rcode(dns.rcode.NXDOMAIN)
        if soa := self._rrset(apex, dns.rdatatype.SOA):
            response.authority.append(soa)


def respond(zones: Zones, packet: bytes, *, udp: bool) -> bytes | None:
    """The packet to send back; ``None`` for what is no question."""
    try:
        query = dns.message.from_wire(packet)
    except dns.exception.DNSException:
        return None
    if query.flags & dns.flags.QR:
        return None
    response = zones.answer(query)
    if not udp:
        return response.to_wire(max_size=LARGEST_TCP)
    room = min(max(query.payload, 512), LARGEST_UDP) if query.edns >= 0 else 512
    try:
        return response.to_wire(max_size=room)
    except dns.exception.TooBig:
        cut = dns.message.make_response(query, our_payload=LARGEST_UDP)
        cut.flags |= dns.flags.TC | dns.flags.AA
        return cut.to_wire()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, zones: Zones) -> None:
        self._zones = zones

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own class is no DatagramTransport by inheritance before Python 3.12.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        response = respond(self._zones, data, udp=True)
        if response is not None:
            self._transport.sendto(response, addr)


async def _tcp(zones: Zones, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            async with asyncio.timeout(TCP_SECONDS):
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                packet = await reader.readexactly(length)
            response = respond(zones, packet, udp=False)
            if response is None:
                break
            writer.write(struct.pack("!H", len(response)) + response)
            await writer.drain()
    except (asyncio.IncompleteReadError, TimeoutError, ConnectionError):
        pass  # the asker went away
    finally:
        writer.close()


def _stop_with_pipe(loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
    """Stop when standard input, if it is a pipe, is closed: no responder outlives who started it.

    Anything else is left alone, because a shell gives a job in the background ``/dev/null``, which ends at once.
    """
    try:
        kind = os.fstat(0).st_mode
    except OSError:
        return
    if not stat.S_ISFIFO(kind):
        return

    def watch() -> None:
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(stopped.set)

    threading.Thread(target=watch, daemon=True).start()


async def serve(zones: Zones, address: str, port: int) -> None:
    """Answer until told to stop."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for left in reversed(range(20)):
        # TCP first: the kernel gives a free port, and UDP then takes the same number, unless another has it by chance.
        server = await asyncio.start_server(lambda r, w: _tcp(zones, r, w), address, port)
        taken = server.sockets[0].getsockname()[1]
        try:
            transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(zones), local_addr=(address, taken))
        except OSError:
            server.close()
            if port or not left:
                raise
        else:
            break
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    _stop_with_pipe(loop, stopped)
    print(taken, flush=True)
    await stopped.wait()
    transport.close()
    server.close()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description="A small authoritative name server for the demo.")
    parser.add_argument("--zone", type=Path, required=True, help="a zone file; it may hold several zones")
    parser.add_argument("--address", default="127.0.0.1", help="where to listen (default: loopback)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options = parser.parse_args()
    try:
        zones = Zones(options.zone.read_text(encoding="utf-8"))
        asyncio.run(serve(zones, options.address, options.port))
    except (OSError, ValueError, dns.exception.DNSException) as error:
        sys.exit(f"{options.zone}: {error}")


if __name__ == "__main__":
    main()
