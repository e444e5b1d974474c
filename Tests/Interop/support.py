"""The one world of the suite, and clients on it whose conversations are recorded and checked."""

import atexit
import contextlib
import itertools
import json
import logging
import os
import pathlib
import shutil
import socket
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import fastmcp  # noqa: E402
from fastmcp.client.transports import StdioTransport  # noqa: E402
from mcp.client.client import Client  # noqa: E402
from mcp.client.stdio import StdioServerParameters, stdio_client  # noqa: E402
from wire import META, MODERN, Conversation  # noqa: E402
from world import World  # noqa: E402

CAPABILITIES = {"exec": True, "file_read": True, "file_write": True, "port_forward": True}
MODES = ("auto", "legacy", MODERN)
# What the clients say of the server's log messages, and asyncio of slow steps, is no result.
logging.getLogger("fastmcp").setLevel(logging.ERROR)
logging.getLogger("asyncio").setLevel(logging.ERROR)

world = World(
    pathlib.Path(os.environ["BINARIES"]).resolve(), capabilities=CAPABILITIES, safeguards={"allow_overwrite": True})
numbers = itertools.count(1)


def setUpModule():
    """Imported by the test modules: unittest calls it once in each."""
    if world.children:
        return
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    atexit.register(world.stop)
    try:
        world.start()
    except Exception:
        print(world.logs(), file=sys.stderr)
        raise


def bridge():
    """The command of a client that a user would configure, and the record of what passes."""
    record = world.dir / f"record-{next(numbers)}"
    socat = [shutil.which("socat"), "-", f"UNIX-CONNECT:{world.socket_path}"]
    return record, sys.executable, [str(ROOT / "Tests/Interop/tap.py"), str(record), *socat]


@contextlib.asynccontextmanager
async def mcp_client(mode, *, listening=False, **options):
    record, command, arguments = bridge()
    transport = stdio_client(StdioServerParameters(command=command, args=arguments))
    async with Client(transport, mode=mode, **options) as client:
        yield client
    check(record, listening)


@contextlib.asynccontextmanager
async def fastmcp_client(mode, *, listening=False, **options):
    async def log(_):
        pass

    record, command, arguments = bridge()
    transport = StdioTransport(command=command, args=arguments, keep_alive=False)
    async with fastmcp.Client(transport, mode=mode, log_handler=log, **options) as client:
        yield client
    check(record, listening)


PACKAGES = {"mcp": mcp_client, "fastmcp": fastmcp_client}


def check(record, listening=False):
    """The conversation was right, and the place is free again."""
    counts = Conversation(record).finished(listening=listening)
    world.wait_without_worker()
    return counts


class RawClient:
    """A client of an older revision, or a wrong one: lines on the socket, recorded as tap.py does."""

    def __init__(self):
        self.record = world.dir / f"record-{next(numbers)}"
        self.file = open(self.record, "wb", buffering=0)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(world.socket_path))
        self.lines = self.socket.makefile("rb")
        self.ids = itertools.count(1)
        self.others = []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.socket.shutdown(socket.SHUT_WR)
        while kind is None and self.read() is not None:
            pass
        self.lines.close()
        self.socket.close()
        self.file.close()
        if kind is None:
            self.counts = check(self.record)

    def send(self, line):
        self.file.write(b">" + line + b"\n")
        self.socket.sendall(line + b"\n")

    def read(self):
        line = self.lines.readline()
        if line:
            self.file.write(b"<" + line)
        return json.loads(line) if line else None

    def notify(self, method, params=None):
        self.send(json.dumps({"jsonrpc": "2.0", "method": method, "params": params or {}}).encode())

    def begin(self, method, params=None, revision=None, id=None):
        params = dict(params or {})
        if revision == MODERN:
            params["_meta"] = {
                META + "protocolVersion": MODERN, META + "clientCapabilities": {}, **params.get("_meta", {})}
        id = next(self.ids) if id is None else id
        self.send(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).encode())
        return id

    def answer(self, id):
        while (read := self.read()) is not None:
            for message in read if isinstance(read, list) else [read]:
                if message.get("id") == id and "method" not in message:
                    return message
                self.others.append(message)
        raise AssertionError("the connection ended before the answer")

    def ask(self, method, params=None, revision=None):
        return self.answer(self.begin(method, params, revision))

    def wait_for(self, method):
        while not any(message.get("method") == method for message in self.others):
            message = self.read()
            assert message is not None, f"the connection ended before {method}"
            self.others.append(message)

    def initialize(self, revision):
        result = self.ask("initialize", {
            "protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}})
        self.notify("notifications/initialized")
        return result
