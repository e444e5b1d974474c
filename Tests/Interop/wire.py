"""Checks a recorded conversation: every line of the server against the schema of the revision that it is in.

Two judges: the models of the `mcp` package, and where they are present the official JSON Schemas (the folder that
MCP_SCHEMAS names, or ../shared/mcp-schema beside the repository).
"""

import collections
import functools
import json
import os
import pathlib
import re

import jsonschema
from mcp_types import methods

META = "io.modelcontextprotocol/"
REVISIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28")
MODERN = REVISIONS[-1]

RESULTS = {
    "initialize": "InitializeResult", "server/discover": "DiscoverResult", "tools/list": "ListToolsResult",
    "tools/call": "CallToolResult", "subscriptions/listen": "SubscriptionsListenResult", "ping": "EmptyResult",
    "logging/setLevel": "EmptyResult",
}
NOTIFICATIONS = {
    "notifications/progress": "ProgressNotification", "notifications/message": "LoggingMessageNotification",
    "notifications/tools/list_changed": "ToolListChangedNotification",
    "notifications/subscriptions/acknowledged": "SubscriptionsAcknowledgedNotification",
}


class Violation(AssertionError):
    """The server has sent what it must not send."""


def require(condition, *what):
    if not condition:
        raise Violation(" ".join(str(part) for part in what)[:2000])


# ---- The official schemas


@functools.cache
def schema_folder():
    """Where the official schemas are, or None."""
    beside = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "mcp-schema"
    folder = pathlib.Path(os.environ.get("MCP_SCHEMAS") or beside)
    return folder if all((folder / f"{revision}.json").exists() for revision in REVISIONS) else None


@functools.cache
def definition(revision, name):
    """The validator of one type of a revision, the members that it knows, and those of its parameters."""
    schema = json.loads((schema_folder() / f"{revision}.json").read_text())
    key = "$defs" if "$defs" in schema else "definitions"
    root = {"$schema": schema["$schema"], key: schema[key], "$ref": f"#/{key}/{name}"}
    known = schema[key][name].get("properties")
    params = (known or {}).get("params", {})
    if "$ref" in params:
        params = schema[key][params["$ref"].rpartition("/")[2]]
    return (
        jsonschema.validators.validator_for(root)(root), frozenset(known) if known is not None else None,
        frozenset(params["properties"]) if "properties" in params else None)


def against_schema(revision, name, value, extra=()):
    """Also what a schema would let pass: members that the revision does not know."""
    if schema_folder() is None:
        return
    validator, known, params = definition(revision, name)
    validator.validate(value)
    if params is not None:
        found = set(value.get("params", {})) - params
        require(not found, revision, name, "has unknown parameters:", found)
    if known is not None:
        require(set(value) <= known | set(extra), revision, name, "has unknown members:", set(value) - known)


# ---- A conversation


class Conversation:
    """What one connection said, checked line by line. `counts` tells how many of which kind there were."""

    def __init__(self, record):
        self.counts = collections.Counter()
        self.negotiated = None  # the revision that initialize came to
        self.open = {}  # requests without an answer: id -> (method, params, revision)
        self.unreadable = collections.Counter()  # ids in lines that are no JSON
        self.cancelled = set()
        self.progress = {}  # token -> last value
        self.schemas = {}  # revision -> tool -> outputSchema
        self.subscriptions = set()
        data = pathlib.Path(record).read_bytes()
        require(data.endswith(b"\n") or not data, "the record ends within a line")
        for line in data.split(b"\n")[:-1]:
            (self.client if line[:1] == b">" else self.server)(line[1:])

    @staticmethod
    def key(id):
        return (type(id).__name__, id)

    # What the client sent is only taken note of: it may be wrong on purpose.

    def client(self, line):
        try:
            message = json.loads(line)
            line.decode()
            json.dumps(message, ensure_ascii=False).encode()  # a lone surrogate is no text
        except (ValueError, RecursionError):
            self.counts["unparsable"] += 1
            # It is answered under its id where that can be read; which of those that stand there is not judged here.
            for text in re.findall(rb'"id"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d+)', line):
                self.unreadable[self.key(json.loads(text.decode(errors="replace"), strict=False))] += 1
            return
        for part in message if isinstance(message, list) else [message]:
            self.client_message(part)

    def client_message(self, message):
        if not isinstance(message, dict):
            return
        method, params = message.get("method"), message.get("params")
        params = params if isinstance(params, dict) else {}
        if method == "notifications/cancelled":
            self.cancelled.add(self.key(params.get("requestId")))
        if type(message.get("id")) not in (int, str) or "result" in message or "error" in message:
            return
        meta = params.get("_meta") or {}
        revision = meta.get(META + "protocolVersion") or (
            MODERN if method == "server/discover" else self.negotiated)
        if revision not in REVISIONS:
            revision = params.get("protocolVersion") if method == "initialize" else MODERN
        self.open[self.key(message["id"])] = (method, params, revision)
        if "progressToken" in meta:
            self.progress[self.key(meta["progressToken"])] = (self.key(message["id"]), None)

    # What the server sent must be right.

    def server(self, line):
        message = json.loads(line.decode("utf-8"), parse_constant=lambda name: require(False, name, "is no JSON"))
        if isinstance(message, list):
            require(self.negotiated == "2025-03-26", "a batch outside of 2025-03-26")
            require(message, "an empty batch")
        for part in message if isinstance(message, list) else [message]:
            require(isinstance(part, dict) and part.get("jsonrpc") == "2.0", "no JSON-RPC:", line)
            if "method" in part:
                require("id" not in part, "a request from the server:", line)
                self.notification(part)
            elif "error" in part:
                self.error(part)
            else:
                self.result(part)

    def answered(self, message):
        key = self.key(message["id"])
        require(key in self.open, "an answer to nothing, or the second:", message)
        self.progress = {token: state for token, state in self.progress.items() if state[0] != key}
        return key, *self.open.pop(key)

    def error(self, message):
        self.counts[f"error {message['error']['code']}"] += 1
        require(type(message["error"]["code"]) is int and message["error"]["message"], "no proper error:", message)
        revision = self.negotiated or MODERN
        value = dict(message)
        if message["id"] is None:
            # JSON-RPC 2.0 section 5: null where the id is not known. The schemas have no null.
            require(message["error"]["code"] in (-32700, -32600, -32000), "null id:", message)
            value["id"] = 0
        elif message["error"]["code"] == -32700 and self.unreadable[self.key(message["id"])]:
            self.unreadable[self.key(message["id"])] -= 1
        else:
            _, _, _, asked = self.answered(message)
            revision = asked if asked in REVISIONS else revision
        against_schema(revision, "JSONRPCErrorResponse" if revision >= "2025-11-25" else "JSONRPCError", value)
        if message["error"]["code"] == -32022:
            against_schema(MODERN, "UnsupportedProtocolVersionError", message)

    def result(self, message):
        key, method, params, revision = self.answered(message)
        result = message["result"]
        require(set(message) == {"jsonrpc", "id", "result"}, "unknown members:", message)
        if method == "initialize":
            revision = self.negotiated = result["protocolVersion"]
        self.counts[f"{method} {revision}"] += 1
        methods.validate_server_result(method, revision, result)
        against_schema(
            revision, "JSONRPCResultResponse" if revision >= "2025-11-25" else "JSONRPCResponse", message)
        against_schema(revision, RESULTS[method], result)
        if revision == MODERN:
            require(result["resultType"] == "complete", "resultType:", result)
            require(result["_meta"][META + "serverInfo"]["name"], "no serverInfo:", result)
        if method == "tools/list":
            self.tools(result["tools"], revision)
        if method == "tools/call":
            self.call(params["name"], result, revision)
        if method == "subscriptions/listen":
            require(key in self.subscriptions, "a subscription ends that was not acknowledged")
            self.subscriptions.discard(key)

    def tools(self, tools, revision):
        self.schemas[revision] = {tool["name"]: tool.get("outputSchema") for tool in tools}
        for tool in tools:
            against_schema(revision, "Tool", tool)
            jsonschema.Draft202012Validator.check_schema(tool["inputSchema"])
            has = revision >= "2025-06-18"
            require(("outputSchema" in tool) == has and ("title" in tool) == has, revision, "tool:", tool)
            require(("annotations" in tool) == (revision >= "2025-03-26"), revision, "tool:", tool)
            if has:
                jsonschema.Draft202012Validator.check_schema(tool["outputSchema"])

    def call(self, name, result, revision):
        require(len(result["content"]) == 1 and result["content"][0]["type"] == "text", "content:", result)
        text = result["content"][0]["text"]
        has = revision >= "2025-06-18" and not result["isError"]
        require(("structuredContent" in result) == has, revision, "structuredContent:", result)
        if result["isError"]:
            require(text and not text.startswith("{"), "no sentence:", text)
            return
        require("\n" not in text, "the JSON is not compact:", text)
        value = json.loads(text)
        if has:
            require(value == result["structuredContent"], "the text is another than the structure:", result)
            schema = self.schemas.get(revision, {}).get(name)
            if schema is not None:
                jsonschema.Draft202012Validator(schema).validate(value)

    def notification(self, message):
        method, params = message["method"], message.get("params")
        self.counts[method] += 1
        modern = META + "subscriptionId" in ((params or {}).get("_meta") or {})
        revision = MODERN if modern else self.negotiated or MODERN
        if method == "notifications/progress":
            token = self.key(params["progressToken"])
            require(token in self.progress, "progress for nothing, or after the answer:", message)
            request, last = self.progress[token]
            revision = self.open[request][2]
            require(last is None or params["progress"] > last, "progress does not increase:", message)
            self.progress[token] = (request, params["progress"])
        methods.parse_server_notification(method, revision, params)
        against_schema(revision, NOTIFICATIONS[method], message, extra=("jsonrpc",))
        if method == "notifications/subscriptions/acknowledged":
            self.subscriptions.add(self.key(params["_meta"][META + "subscriptionId"]))
        elif modern:
            require(
                self.key(params["_meta"][META + "subscriptionId"]) in self.subscriptions,
                "a notification of no subscription:", message)
        elif method == "notifications/tools/list_changed":
            require(self.negotiated, "list_changed before initialize:", message)

    # The end

    def finished(self, *, listening=False):
        """Nothing is left open but what was cancelled or, `listening`, a subscription."""
        for key, (method, _, _) in self.open.items():
            allowed = key in self.cancelled or (listening and method == "subscriptions/listen")
            require(allowed, method, key, "was never answered")
        return self.counts
