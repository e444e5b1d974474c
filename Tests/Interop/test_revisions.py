"""Every revision by hand, with the lines that no released client sends: what comes back is validated to the byte."""

import json
import signal
import unittest

from support import CAPABILITIES, RawClient, setUpModule, world  # noqa: F401
from wire import META, MODERN, REVISIONS, Violation, schema_folder


def calls(place):
    """Calls of every kind: good, bad, refused."""
    (world.local / "f").write_text("one\ntwo\n" * 100)
    return [
        ("ssh_connection_status", {}),
        ("ssh_exec", {"command": "echo out; echo err >&2; sleep 0.7; exit 3", "env": {"A": "b"}}),
        ("ssh_exec", {"command": "kill -9 $$"}),
        ("ssh_exec", {"command": "sleep 9", "timeout_seconds": 1}),
        ("ssh_exec", {"command": "printf '\\377\\000\\033]0;x\\007'"}),
        ("ssh_exec", {"command": 7}),
        ("ssh_exec", {"command": "rm -rf /nonexistent"}),
        ("ssh_exec", {"command": "true", "host": "nowhere"}),
        ("ssh_write_file", {"path": f"{place}-w", "content": "a\nb\n", "mode": "0600"}),
        ("ssh_read_file", {"path": f"{place}-w"}),
        ("ssh_read_file", {"path": "/nope"}),
        ("ssh_edit_file", {"path": f"{place}-w", "edits": [{"old_text": "a", "new_text": "c"}], "dry_run": True}),
        ("ssh_list_dir", {"path": "/etc", "limit": 3}),
        ("ssh_upload_file", {"local_path": f"{world.local}/f", "remote_path": f"{place}-up", "sha256": True}),
        ("ssh_download_file", {"remote_path": f"{place}-w", "local_path": f"{world.local}/down"}),
        ("ssh_forward_port", {"remote_host": "127.0.0.1", "remote_port": 9}),
        ("ssh_forward_port", {"remote_host": "169.254.169.254", "remote_port": 80}),
        ("ssh_list_forwards", {}),
        ("ssh_cancel_forward", {"local_port": 1}),
    ]


class RevisionTests(unittest.TestCase):
    def setUp(self):
        if schema_folder() is None:
            print("the official schemas are not here: only the package's models judge", flush=True)

    def test_all_that_is_sent_is_as_the_revision_says(self):
        for revision in REVISIONS:
            with self.subTest(revision=revision), RawClient() as client:
                modern = revision if revision == MODERN else None
                if modern:
                    found = client.ask("server/discover", revision=modern)["result"]
                    self.assertEqual(found["supportedVersions"], list(reversed(REVISIONS)))
                    wrong = {"_meta": {META + "protocolVersion": "2030-01-01", META + "clientCapabilities": {}}}
                    self.assertEqual(client.ask("tools/list", wrong)["error"]["code"], -32022)
                else:
                    self.assertEqual(client.initialize(revision)["result"]["protocolVersion"], revision)
                    client.ask("ping")
                    client.ask("logging/setLevel", {"level": "debug"})
                    self.assertEqual(client.ask("logging/setLevel", {"level": "x"})["error"]["code"], -32602)
                tools = client.ask("tools/list", revision=modern)["result"]["tools"]
                self.assertEqual(client.ask("nonsense", revision=modern)["error"]["code"], -32601)
                self.assertEqual(client.ask("tools/call", {"name": "none"}, modern)["error"]["code"], -32602)
                for number, (name, arguments) in enumerate(calls(f"{world.remote}/{revision}")):
                    meta = {"progressToken": f"t{number}"}
                    if modern:
                        meta[META + "logLevel"] = "debug"
                    answer = client.ask(
                        "tools/call", {"name": name, "arguments": arguments, "_meta": meta}, modern)
                    self.assertIn("result", answer)
                self.assertEqual(len(tools), 11)
                forwards = client.ask("tools/call", {"name": "ssh_list_forwards"}, modern)["result"]
                for forward in json.loads(forwards["content"][0]["text"])["forwards"]:
                    client.ask("tools/call", {
                        "name": "ssh_cancel_forward", "arguments": {"forward_id": forward["forward_id"]}}, modern)
            self.assertGreater(client.counts["notifications/progress"], 0)

    def test_a_change_of_the_config_is_told_as_the_revision_says(self):
        for revision in REVISIONS:
            with self.subTest(revision=revision), RawClient() as client:
                if revision == MODERN:
                    client.begin(
                        "subscriptions/listen", {"notifications": {"toolsListChanged": True}}, revision, id="sub")
                    client.wait_for("notifications/subscriptions/acknowledged")
                else:
                    client.initialize(revision)
                try:
                    world.reload(capabilities=CAPABILITIES | {"exec": False})
                    client.wait_for("notifications/tools/list_changed")
                finally:
                    world.reload()
                client.others.clear()
                client.wait_for("notifications/tools/list_changed")
                if revision == MODERN:
                    client.notify("notifications/cancelled", {"requestId": "sub"})

    def test_wrong_lines_are_answered_and_the_connection_lives(self):
        wrong = [
            b"", b"{", b"{]", b"\xff\xfe", b"null", b"7", b'"x"', b"[]", b"[1]", b"{}", b'{"jsonrpc":"1.0","id":1}',
            b'{"jsonrpc":"2.0","id":[1],"method":"ping"}', b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
            b'{"jsonrpc":"2.0","id":{},"method":"ping"}', b'{"jsonrpc":"2.0","id":"x","method":5}',
            b'{"jsonrpc":"2.0","id":"y","method":"tools/call","params":[]}',
            b'{"jsonrpc":"2.0","id":"z","method":"tools/call","params":{"name":5}}',
            b'{"jsonrpc":"2.0","id":99,"result":{}}', b'{"jsonrpc":"2.0","method":"notifications/nonsense"}',
            b'{"jsonrpc":"2.0","id":"deep","method":"ping","params":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
            b'\xef\xbb\xbf{"jsonrpc":"2.0","id":"bom","method":"ping"}', b'{"jsonrpc":"2.0","id":"cr","method":"ping"}\r',
            b'{"jsonrpc":"2.0","id":"lone","method":"ping","params":{"x":"\\ud800"}}',
            b'{"jsonrpc":"2.0","id":"nul\\u0000","method":"ping"}', b'{"jsonrpc":"2.0","id":"raw\x00","method":"ping"}',
            b'{"jsonrpc":"2.0","id":-1,"method":"ping"}', b'{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}',
        ]
        for revision in REVISIONS[:-1]:
            with self.subTest(revision=revision), RawClient() as client:
                client.initialize(revision)
                for line in wrong:
                    client.send(line)
                    self.assertEqual(client.ask("ping")["result"], {})

    def test_a_batch_of_the_one_revision_that_has_them(self):
        batch = (b'[{"jsonrpc":"2.0","id":"a","method":"ping"},{"jsonrpc":"2.0","method":"notifications/nonsense"},'
                 b'{"jsonrpc":"2.0","id":"b","method":"tools/list"},{"jsonrpc":"2.0","id":"c","method":"nonsense"}]')
        with RawClient() as client:
            client.initialize("2025-03-26")
            client.send(batch)
            answers = {answer["id"]: answer for answer in client.read()}
            self.assertEqual(set(answers), {"a", "b", "c"})
            self.assertEqual(answers["c"]["error"]["code"], -32601)

    def test_the_end_of_the_daemon_ends_a_subscription_gracefully(self):
        client = RawClient()
        with client:
            client.begin("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, MODERN, id="sub")
            client.wait_for("notifications/subscriptions/acknowledged")
            world.daemon.send_signal(signal.SIGTERM)
            self.assertIn("result", client.answer("sub"))
            self.assertEqual(world.daemon.wait(timeout=20), 0)
            world.start_daemon()


class CheckerTests(unittest.TestCase):
    """That the judge can say no."""

    def judge(self, *lines):
        from wire import Conversation

        record = world.dir / "judged"
        record.write_bytes(b"".join(line.encode() + b"\n" for line in lines))
        return Conversation(record).finished()

    def test_wrong_answers_are_found(self):
        ask = '>{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}'
        info = '"serverInfo":{"name":"n","version":"1"},"capabilities":{}'
        good = f'<{{"jsonrpc":"2.0","id":1,"result":{{"protocolVersion":"2025-11-25",{info}}}}}'
        self.judge(ask, good)
        call = '>{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"t","_meta":{"progressToken":5}}}'
        text = '{"type":"text","text":"{\\"a\\":1}"}'
        done = f'<{{"jsonrpc":"2.0","id":2,"result":{{"content":[{text}],"structuredContent":{{"a":1}},"isError":false}}}}'
        step = '<{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":5,"progress":%d}}'
        self.judge(ask, good, call, step % 1, step % 2, done)
        for lines in (
            (ask,), (ask, good, good), (ask, good.replace('"serverInfo"', '"server"')),
            (ask, good.replace('"jsonrpc":"2.0",', "")), (good,), (ask, good, call, done, step % 1),
            (ask, good, call, step % 2, step % 2, done), (ask, good, call, done.replace('{"a":1}', '{"a":2}')),
            (ask, good, call, done.replace('"structuredContent":{"a":1},', "")),
            (ask, good, '<{"jsonrpc":"2.0","id":9,"method":"roots/list"}'), (ask, good, "<[]"),
            (ask, good, '<{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":'
             + f'{{"{META}subscriptionId":1}}}}}}'),
        ):
            with self.subTest(lines=lines), self.assertRaises((Violation, KeyError, ValueError)):
                self.judge(*lines)

    def test_unknown_parameters_are_found(self):
        if schema_folder() is None:
            self.skipTest("the official schemas are not here")
        lines = (
            '>{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05"}}',
            '<{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2024-11-05","serverInfo":{"name":"n","version":"1"},'
            + '"capabilities":{}}}',
            '>{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"t","_meta":{"progressToken":5}}}',
            '<{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":5,"progress":1%s}}',
            '<{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"{\\"a\\":1}"}],"isError":false}}',
        )
        self.judge(*(line.replace("%s", "") for line in lines))
        with self.assertRaises(Violation):
            self.judge(*(line.replace("%s", ',"message":"m"') for line in lines))
