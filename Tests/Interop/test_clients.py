"""The released `mcp` and `fastmcp` clients against the daemon, through socat, as a user configures them."""

import asyncio
import hashlib
import itertools
import unittest

from support import CAPABILITIES, MODES, PACKAGES, setUpModule, world  # noqa: F401
from wire import MODERN

TOOLS = [
    "ssh_connection_status", "ssh_exec", "ssh_read_file", "ssh_list_dir", "ssh_write_file", "ssh_edit_file",
    "ssh_upload_file", "ssh_download_file", "ssh_forward_port", "ssh_list_forwards", "ssh_cancel_forward",
]


async def call(package, client, tool, arguments, progress=None):
    """A tool's structured content, the same way for both packages."""
    if package == "mcp":
        result = await client.call_tool(tool, arguments, progress_callback=progress)
    else:
        result = await client.call_tool_mcp(tool, arguments, progress_handler=progress)
    assert not result.is_error, result
    return result.structured_content


class ClientTests(unittest.IsolatedAsyncioTestCase):
    maxDiff = None

    async def every(self, body, **options):
        """Each package in each mode."""
        for package, mode in itertools.product(PACKAGES, MODES):
            with self.subTest(package=package, mode=mode):
                async with asyncio.timeout(60):
                    async with PACKAGES[package](mode, **options) as client:
                        await body(package, mode, client)

    async def test_the_mode_leads_to_the_expected_era(self):
        async def body(package, mode, client):
            expected = "2025-11-25" if mode == "legacy" else MODERN
            session = client.session
            self.assertEqual(session.protocol_version, expected)

        await self.every(body)

    async def test_every_tool(self):
        async def body(package, mode, client):
            listed = await client.list_tools()
            tools = listed.tools if package == "mcp" else listed
            self.assertEqual([tool.name for tool in tools], TOOLS)
            place = f"{world.remote}/{package}-{mode}"
            used = []

            async def tool(name, arguments):
                used.append(name)
                return await call(package, client, name, arguments)

            status = await tool("ssh_connection_status", {})
            self.assertEqual([host["connected"] for host in status["hosts"]], [True, True])
            made = await tool("ssh_exec", {"command": f"mkdir {place}; cat; echo err >&2; exit 3", "stdin": "in"})
            self.assertEqual((made["exit_code"], made["stdout"], made["stderr"]), (3, "in", "err\n"))
            written = await tool("ssh_write_file", {"path": f"{place}/f", "content": "älpha\nbeta\n"})
            self.assertEqual(written["size"], 12)
            read = await tool("ssh_read_file", {"path": f"{place}/f"})
            self.assertEqual((read["content"], read["encoding"]), ("älpha\nbeta\n", "utf-8"))
            edited = await tool(
                "ssh_edit_file", {"path": f"{place}/f", "edits": [{"old_text": "beta", "new_text": "gamma"}]})
            self.assertIn("-beta\n+gamma\n", edited["diff"])
            entries = (await tool("ssh_list_dir", {"path": place}))["entries"]
            self.assertEqual([(entry["name"], entry["size"]) for entry in entries], [("f", 13)])
            local = world.local / f"{package}-{mode}"
            data = bytes(range(256)) * 4096
            local.write_bytes(data)
            up = await tool(
                "ssh_upload_file", {"local_path": str(local), "remote_path": f"{place}/up", "sha256": True})
            self.assertEqual((up["size"], up["sha256"]), (len(data), hashlib.sha256(data).hexdigest()))
            down = await tool(
                "ssh_download_file", {"remote_path": f"{place}/up", "local_path": f"{local}.down"})
            self.assertEqual(down["size"], len(data))
            self.assertEqual((world.local / f"{local.name}.down").read_bytes(), data)
            forward = await tool("ssh_forward_port", {"remote_host": "127.0.0.1", "remote_port": world.port})
            reader, writer = await asyncio.open_connection("127.0.0.1", forward["local_port"])
            self.assertTrue((await reader.readline()).startswith(b"SSH-2.0-"))
            writer.close()
            forwards = (await tool("ssh_list_forwards", {}))["forwards"]
            self.assertEqual([entry["status"] for entry in forwards], ["running"])
            cancelled = await tool("ssh_cancel_forward", {"forward_id": forward["forward_id"]})
            self.assertTrue(cancelled["cancelled"])
            self.assertEqual(used, ["ssh_connection_status", "ssh_exec", "ssh_write_file", "ssh_read_file",
                                    "ssh_edit_file", "ssh_list_dir", *TOOLS[6:]])

        await self.every(body)

    async def test_a_refusal_is_an_error_that_the_model_can_read(self):
        async def body(package, mode, client):
            if package == "mcp":
                result = await client.call_tool("ssh_read_file", {"path": "relative"})
            else:
                result = await client.call_tool_mcp("ssh_read_file", {"path": "relative"})
            self.assertTrue(result.is_error)
            self.assertIn("absolute", result.content[0].text)

        await self.every(body)

    async def test_fifty_calls_at_once(self):
        async def body(package, mode, client):
            calls = [call(package, client, "ssh_exec", {"command": f"echo {n}"}) for n in range(50)]
            results = await asyncio.gather(*calls)
            self.assertEqual([result["stdout"] for result in results], [f"{n}\n" for n in range(50)])

        await self.every(body)

    async def test_progress_of_a_command_and_of_a_transfer(self):
        size = 64 << 20
        (world.local / "large").write_bytes(bytes(size))

        async def body(package, mode, client):
            seen = []

            async def note(progress, total, message):
                seen.append((progress, total, message))

            command = "for n in 1 2 3; do echo line $n; sleep 0.7; done"
            await call(package, client, "ssh_exec", {"command": command}, note)
            self.assertGreaterEqual(len(seen), 2)
            self.assertLessEqual(len(seen), 6, "twice a second at most")
            self.assertTrue(any("line " in message for _, _, message in seen), seen)
            seen.clear()
            arguments = {"local_path": str(world.local / "large"), "remote_path": f"{world.remote}/large"}
            result = await call(package, client, "ssh_upload_file", arguments, note)
            self.assertEqual(result["size"], size)
            self.assertTrue(all(total == size and progress <= size for progress, total, _ in seen), seen)

        await self.every(body)

    async def test_a_cancelled_call_stops_its_command_and_the_session_goes_on(self):
        async def body(package, mode, client):
            mark = f"41{abs(hash((package, mode))) % 10**6:06}"
            running = asyncio.create_task(call(package, client, "ssh_exec", {"command": f"sleep {mark}"}))

            async def is_running():
                found = await call(package, client, "ssh_exec", {"command": f"pgrep -f '^sleep {mark[:-1]}[{mark[-1]}]'"})
                return found["exit_code"] == 0

            async with asyncio.timeout(20):
                while not await is_running():
                    pass
            running.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await running
            async with asyncio.timeout(20):
                while await is_running():
                    pass

        await self.every(body)

    async def test_one_client_after_the_other(self):
        for package, mode in itertools.product(PACKAGES, MODES):
            for turn in range(5):
                with self.subTest(package=package, mode=mode, turn=turn):
                    async with PACKAGES[package](mode) as client:
                        result = await call(package, client, "ssh_exec", {"command": f"echo {turn}"})
                        self.assertEqual(result["stdout"], f"{turn}\n")

    async def test_a_reload_is_told_and_the_next_call_is_under_the_new_policy(self):
        for package, mode in itertools.product(PACKAGES, MODES):
            with self.subTest(package=package, mode=mode):
                try:
                    async with asyncio.timeout(60):
                        await self.reload(package, mode)
                finally:
                    world.reload()

    async def reload(self, package, mode):
        told = asyncio.Event()

        async def note(message):
            if "ToolListChanged" in type(getattr(message, "root", message)).__name__:
                told.set()

        async with PACKAGES[package](mode, listening=mode != "legacy", message_handler=note) as client:
            async def names():
                listed = await client.list_tools()
                return [tool.name for tool in (listed.tools if package == "mcp" else listed)]

            async def change_and_wait(wait, has, **changes):
                world.reload(**changes)
                await wait()
                told.clear()
                self.assertEqual("ssh_exec" in await names(), has)

            async def both(wait):
                await change_and_wait(wait, False, capabilities=CAPABILITIES | {"exec": False})
                await change_and_wait(wait, True)

            self.assertIn("ssh_exec", await names())
            if mode == "legacy":
                return await both(told.wait)
            listening = client if package == "mcp" else client.session
            if package == "mcp":
                async with listening.listen(tools_list_changed=True) as subscription:
                    await both(lambda: anext(aiter(subscription)))
            else:
                # fastmcp 4 has no call of its own for a subscription: its session sends one.
                from mcp.client.subscriptions import listen

                async with listen(listening, tools_list_changed=True) as subscription:
                    await both(lambda: anext(aiter(subscription)))
