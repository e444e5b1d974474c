import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// The file tools through the daemon, a confined worker and a real sshd's SFTP.
@Suite struct FilesTests {
    private static let writing: JSON = ["safeguards": ["allow_overwrite": true]]

    @Test("a file is read whole, from an offset, by lines and from its end", arguments: FileTransport.all)
    func read(over transport: FileTransport) throws {
        let place = try Place()
        let path = try place.write("f", "one\ntwo\nthree\nfour")
        try withDaemon(on: transport.remote()) { _, client in
            func read(_ more: JSON) throws -> ToolResult {
                try client.callTool("ssh_read_file", (["path": .string(path)] as JSON).merging(more))
            }
            let whole = try read([:])
            #expect(whole["content"] == "one\ntwo\nthree\nfour")
            #expect(whole["encoding"] == "utf-8")
            #expect(whole["size"] == 18)
            #expect(whole["truncated"] == false)
            #expect(whole["next_offset"] == nil)
            let part = try read(["offset": 4, "max_bytes": 3])
            #expect(part["content"] == "two")
            #expect(part["truncated"] == true)
            #expect(part["next_offset"] == 7)
            #expect(try read(["tail_lines": 2])["content"] == "three\nfour")
            #expect(try read(["start_line": 2, "line_count": 1])["content"] == "two\n")
            let past = try read(["offset": 100])
            #expect(past["content"] == "")
            #expect(try read(["offset": 1, "tail_lines": 1]).isError)
        }
    }

    @Test("reading on at next_offset gives the whole file, characters unbroken", arguments: FileTransport.all)
    func parts(over transport: FileTransport) throws {
        let place = try Place()
        let text = String(repeating: "a日é\u{1F600}\n", count: 300)
        let path = try place.write("f", text)
        try withDaemon(on: transport.remote()) { _, client in
            var offset = 0
            var collected = ""
            while true {
                let part = try client.callTool(
                    "ssh_read_file", ["path": .string(path), "offset": .int(offset), "max_bytes": 101])
                #expect(part["encoding"] == "utf-8", "\(part)")
                collected += part["content"]?.string ?? ""
                guard let next = part["next_offset"]?.int else { break }
                try #require(next > offset)
                offset = next
            }
            #expect(collected == text)
        }
    }

    @Test("what is no text comes as base64, what is no file is refused with advice", arguments: FileTransport.all)
    func kinds(over transport: FileTransport) throws {
        let place = try Place()
        try Data([0xFF, 0x00, 0x80]).write(to: URL(filePath: place.file("binary")))
        try runSuccessfully("/usr/bin/mkfifo", [place.file("fifo")])
        try withDaemon(on: transport.remote()) { _, client in
            let binary = try client.callTool("ssh_read_file", ["path": .string(place.file("binary"))])
            #expect(binary["encoding"] == "base64")
            #expect(binary["content"] == "/wCA")
            let version = try client.callTool("ssh_read_file", ["path": "/proc/version"])
            #expect(version["content"]?.string?.hasPrefix("Linux version") == true, "\(version)")
            for (path, word) in [
                (place.directory.path, "ssh_list_dir"), (place.file("fifo"), "not a regular file"),
                ("/dev/null", "not a regular file"), (place.file("none"), "does not exist"), ("relative", "absolute"),
                ("", "empty"), ("/" + String(repeating: "x/", count: 2500), "bytes long"),
            ] {
                let result = try client.callTool("ssh_read_file", ["path": .string(path)], timeout: .seconds(10))
                #expect(result.isError)
                #expect(result.text.contains(word), "\(path.prefix(60)): \(result.text)")
            }
        }
    }

    @Test("the last lines of a huge log cost little", arguments: FileTransport.all)
    func tailOfHugeFile(over transport: FileTransport) throws {
        let place = try Place()
        let path = place.file("log")
        let descriptor = open(path, O_CREAT | O_WRONLY, 0o644)
        #expect(ftruncate(descriptor, 5 << 30) == 0)
        let tail = "\n" + (1...200).map { "line \($0)\n" }.joined()
        #expect(pwrite(descriptor, tail, tail.utf8.count, 5 << 30) == tail.utf8.count)
        close(descriptor)
        try withDaemon(on: transport.remote()) { daemon, client in
            let worker = try #require(daemon.workers().first)
            let result = try client.callTool("ssh_read_file", ["path": .string(path), "tail_lines": 100])
            let lines = result["content"]?.string?.split(separator: "\n")
            #expect(lines?.count == 100)
            #expect(lines?.first == "line 101")
            let resident = worker.status("VmHWM")?.split(separator: " ").first.flatMap { Int($0) } ?? 0
            #expect(resident < 100_000, "resident \(resident) kB")
        }
    }

    @Test("a directory is listed with any names, in pages, symlinks with their targets", arguments: FileTransport.all)
    func list(over transport: FileTransport) throws {
        let place = try Place()
        let names = ["a b", "new\nline", "x -> y", "é", ".hidden"]
        for name in names { try place.write(name, name) }
        try FileManager.default.createDirectory(atPath: place.file("dir"), withIntermediateDirectories: false)
        symlink("a b", place.file("link"))
        try withDaemon(on: transport.remote()) { _, client in
            let whole = try client.callTool("ssh_list_dir", ["path": .string(place.directory.path)])
            let entries = try #require(whole["entries"]?.array)
            let listed = entries.compactMap { $0["name"]?.string }
            #expect(listed == (names + ["dir", "link"]).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
            let link = try #require(entries.first { $0["name"] == "link" })
            #expect(link["type"] == "symlink")
            #expect(link["target"] == "a b")
            let file = try #require(entries.first { $0["name"] == "a b" })
            #expect(file["type"] == "file")
            #expect(file["size"] == 3)
            #expect(file["permissions"] == "-rw-rw-rw-")
            #expect(file["mtime"]?.string?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil)
            var paged: [String] = []
            var cursor: JSON?
            repeat {
                var arguments: JSON = ["path": .string(place.directory.path), "limit": 2]
                if let cursor { arguments = arguments.merging(["cursor": cursor]) }
                let page = try client.callTool("ssh_list_dir", arguments)
                paged += page["entries"]?.array?.compactMap { $0["name"]?.string } ?? []
                cursor = page["next_cursor"]
            } while cursor != nil
            #expect(paged == listed)
        }
    }

    @Test("a new file is written, an existing one is safe unless overwriting is allowed", arguments: FileTransport.all)
    func write(over transport: FileTransport) throws {
        let place = try Place()
        try place.write("old", "precious")
        try withDaemon(on: transport.remote()) { _, client in
            let created = try client.callTool(
                "ssh_write_file", ["path": .string(place.file("new")), "content": "text\0é", "mode": "0640"])
            #expect(created["written"] == true, "\(created)")
            #expect(created["method"] == "created")
            #expect(try place.content("new") == "text\0é")
            let refused = try client.callTool(
                "ssh_write_file", ["path": .string(place.file("old")), "content": "gone"])
            #expect(refused.isError)
            #expect(refused.text.contains("allow_overwrite"))
            #expect(try place.content("old") == "precious")
            let bad = try client.callTool(
                "ssh_write_file", ["path": .string(place.file("bad")), "content": "%%%", "encoding": "base64"])
            #expect(bad.isError)
            let deep = try client.callTool(
                "ssh_write_file", ["path": .string(place.file("a/b/c")), "content": "x", "create_dirs": true])
            #expect(deep["written"] == true, "\(deep)")
            #expect(try place.names == ["a", "new", "old"])
        }
        try withDaemon(FilesTests.writing, on: transport.remote()) { _, client in
            let replaced = try client.callTool(
                "ssh_write_file", ["path": .string(place.file("new")), "content": "next"])
            #expect(replaced["method"] == "replaced", "\(replaced)")
            #expect(try place.content("new") == "next")
            var status = stat()
            #expect(stat(place.file("new"), &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o640, "the mode stays")
            #expect(try place.names == ["a", "new", "old"], "no temporary file is left")
        }
    }

    @Test(
        "a new file may be one that its owner cannot write, and a path that ends in a slash is none",
        arguments: FileTransport.all)
    func oddModes(over transport: FileTransport) throws {
        let place = try Place()
        try withDaemon(FilesTests.writing, on: transport.remote()) { _, client in
            for mode in ["0444", "0400", "0200"] {
                let path = JSON.string(place.file("f\(mode)"))
                let result = try client.callTool(
                    "ssh_write_file", ["path": path, "content": "x", "mode": .string(mode)])
                #expect(result["written"] == true, "\(result)")
                var status = stat()
                #expect(stat(place.file("f\(mode)"), &status) == 0 && status.st_mode & 0o7777 == strtoul(mode, nil, 8))
            }
            try place.write("file", "old")
            for name in ["file/", "new/"] {
                let result = try client.callTool(
                    "ssh_write_file", ["path": .string(place.file(name)), "content": "x"])
                #expect(result.isError && result.text.contains("is not a regular file"), "\(result)")
            }
            #expect(try place.content("file") == "old")
            #expect(try place.names == ["f0200", "f0400", "f0444", "file"])
        }
    }

    @Test("of twenty writers of one new file exactly one wins, and its content is whole", arguments: FileTransport.all)
    func race(over transport: FileTransport) throws {
        let place = try Place()
        try withDaemon(on: transport.remote()) { _, client in
            let calls = try (0..<20).map { number in
                try client.beginTool(
                    "ssh_write_file",
                    [
                        "path": .string(place.file("f")),
                        "content": .string(String(repeating: "\(number),", count: 20_000)),
                    ])
            }
            var winners: [Int] = []
            var losers: Set<String> = []
            for (number, call) in calls.enumerated() {
                let result = try call.waitForTool()
                if result.isError { losers.insert(result.text) } else { winners.append(number) }
            }
            #expect(winners.count == 1, "\(losers)")
            let winner = try #require(winners.first)
            #expect(try place.content("f") == String(repeating: "\(winner),", count: 20_000))
            #expect(try place.names == ["f"])
        }
    }

    @Test("contents longer than a packet, written side by side, each arrive whole", arguments: FileTransport.all)
    func sideBySide(over transport: FileTransport) throws {
        let place = try Place()
        func content(_ number: Int) -> String { String(repeating: "\(number),", count: 70_000) }
        try withDaemon(on: transport.remote()) { _, client in
            for round in 0..<3 {
                let calls = try (0..<20).map { number in
                    try client.beginTool(
                        "ssh_write_file",
                        ["path": .string(place.file("\(round).\(number)")), "content": .string(content(number))])
                }
                for (number, call) in calls.enumerated() {
                    let result = try call.waitForTool()
                    #expect(!result.isError, "\(result)")
                    #expect(try place.content("\(round).\(number)") == content(number))
                }
            }
        }
    }

    @Test("edits are exact, all or nothing, with a diff; a dry run changes nothing", arguments: FileTransport.all)
    func edit(over transport: FileTransport) throws {
        let place = try Place()
        let path = JSON.string(try place.write("f", "alpha\nbeta\ngamma\nbeta\n"))
        try withDaemon(FilesTests.writing, on: transport.remote()) { _, client in
            func edit(_ edits: JSON, _ more: JSON = [:]) throws -> ToolResult {
                try client.callTool("ssh_edit_file", (["path": path, "edits": edits] as JSON).merging(more))
            }
            let dry = try edit([["old_text": "alpha", "new_text": "ALPHA"]], ["dry_run": true])
            #expect(dry["edited"] == false)
            #expect(dry["diff"]?.string?.contains("-alpha\n+ALPHA\n") == true, "\(dry)")
            #expect(try place.content("f").hasPrefix("alpha"))
            let ambiguous = try edit([["old_text": "alpha", "new_text": "x"], ["old_text": "beta", "new_text": "y"]])
            #expect(ambiguous.isError)
            #expect(ambiguous.text.contains("2 times"), "\(ambiguous)")
            let absent = try edit([["old_text": "delta", "new_text": "y"]])
            #expect(absent.text.contains("does not occur"), "\(absent)")
            #expect(try place.content("f") == "alpha\nbeta\ngamma\nbeta\n")
            let done = try edit([
                ["old_text": "alpha\n", "new_text": "first\n"],
                ["old_text": "beta", "new_text": "b", "replace_all": true],
            ])
            #expect(done["edited"] == true, "\(done)")
            #expect(done["replacements"] == 3)
            #expect(try place.content("f") == "first\nb\ngamma\nb\n")
            #expect(try place.names == ["f"])
        }
        try withDaemon(on: transport.remote()) { _, client in
            let refused = try client.callTool(
                "ssh_edit_file", ["path": path, "edits": [["old_text": "first", "new_text": "x"]]])
            #expect(refused.text.contains("allow_overwrite"), "\(refused)")
        }
    }

    @Test("edits of one file that come side by side are all done, and none is lost", arguments: FileTransport.all)
    func editsSideBySide(over transport: FileTransport) throws {
        let place = try Place()
        let lines = (0..<12).map { "line\($0)=old;\n" }
        let path = JSON.string(try place.write("f", lines.joined()))
        try withDaemon(FilesTests.writing, on: transport.remote()) { _, client in
            let calls = try lines.indices.map { number in
                let edit: JSON = ["old_text": "line\(number)=old;", "new_text": "line\(number)=new;"]
                return try client.beginTool("ssh_edit_file", ["path": path, "edits": [edit]])
            }
            for call in calls {
                let result = try call.waitForTool()
                #expect(result["edited"] == true, "\(result)")
            }
            #expect(try place.content("f") == lines.joined().replacingOccurrences(of: "old", with: "new"))
            #expect(try place.names == ["f"])
            // Only the bytes are another: to Swift's strings both are equal.
            let accent = try client.callTool(
                "ssh_edit_file", ["path": path, "edits": [["old_text": "line0=new;", "new_text": "\u{E9}"]]])
            #expect(accent["edited"] == true, "\(accent)")
            let apart = try client.callTool(
                "ssh_edit_file", ["path": path, "edits": [["old_text": "\u{E9}", "new_text": "e\u{301}"]]])
            #expect(apart["edited"] == true, "\(apart)")
            #expect(apart["diff"]?.string?.utf8.contains(0xA9) == true, "\(apart)")
            #expect(try Array(place.content("f").utf8).starts(with: Array("e\u{301}\n".utf8)))
        }
    }

    @Test("base_dir holds against .. and against symlinks that lead out", arguments: FileTransport.all)
    func baseDirectory(over transport: FileTransport) throws {
        let place = try Place()
        let outside = try Place()
        try outside.write("secret", "secret")
        try FileManager.default.createDirectory(atPath: place.file("sub"), withIntermediateDirectories: false)
        try runSuccessfully("/bin/chmod", ["777", place.file("sub")])
        try place.write("in", "inside")
        symlink(outside.directory.path, place.file("out"))
        symlink(outside.file("secret"), place.file("secret"))
        symlink("in", place.file("fine"))
        let config: JSON = [
            "hosts": ["box": ["base_dir": .string(place.directory.path)]], "safeguards": ["allow_overwrite": true],
        ]
        try withDaemon(config, on: transport.remote()) { _, client in
            for name in ["in", "fine", "sub/../in"] {
                let result = try client.callTool("ssh_read_file", ["path": .string(place.file(name))])
                #expect(result["content"] == "inside", "\(name): \(result)")
            }
            for path in [
                "\(place.file("out"))/secret", place.file("secret"), "\(place.file("sub"))/../../x", "/etc/passwd",
            ] {
                let read = try client.callTool("ssh_read_file", ["path": .string(path)])
                #expect(read.isError && read.text.contains("base_dir"), "\(path): \(read)")
                let write = try client.callTool("ssh_write_file", ["path": .string(path), "content": "x"])
                #expect(write.isError && write.text.contains("base_dir"), "\(path): \(write)")
            }
            let list = try client.callTool("ssh_list_dir", ["path": .string(place.file("out"))])
            #expect(list.isError && list.text.contains("base_dir"), "\(list)")
            let new = try client.callTool("ssh_write_file", ["path": .string(place.file("out/new")), "content": "x"])
            #expect(new.isError, "\(new)")
            #expect(try outside.names == ["secret"])
            #expect(try outside.content("secret") == "secret")
        }
    }

    @Test(
        "a file goes there and back unchanged; what exists is safe, protected paths are refused",
        arguments: FileTransport.all)
    func transfers(over transport: FileTransport) throws {
        let place = try Place()
        let local = try TemporaryDirectory()
        let content = Data((0..<20_000_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) })
        try content.write(to: URL(filePath: local.file("source")))
        try withDaemon(on: transport.remote()) { daemon, client in
            let worker = try #require(daemon.workers().first)
            let up = try client.callTool(
                "ssh_upload_file",
                ["local_path": .string(local.file("source")), "remote_path": .string(place.file("copy"))],
                timeout: .seconds(60))
            #expect(up["uploaded"] == true, "\(up)")
            #expect(up["size"] == 20_000_000)
            let down = try client.callTool(
                "ssh_download_file",
                ["remote_path": .string(place.file("copy")), "local_path": .string(local.file("back"))],
                timeout: .seconds(60))
            #expect(down["downloaded"] == true, "\(down)")
            #expect(try Data(contentsOf: URL(filePath: local.file("back"))) == content)
            for (tool, expected) in [("ssh_upload_file", "on \"box\""), ("ssh_download_file", "local file")] {
                let again = try client.callTool(
                    tool, ["local_path": .string(local.file("back")), "remote_path": .string(place.file("copy"))])
                #expect(again.isError && again.text.contains(expected), "\(again)")
            }
            let secret = try client.callTool(
                "ssh_upload_file", ["local_path": "/proc/self/environ", "remote_path": .string(place.file("x"))])
            #expect(secret.isError && secret.text.contains("local_roots"), "\(secret)")
            let missing = try client.callTool(
                "ssh_download_file",
                ["remote_path": .string(place.file("none")), "local_path": .string(local.file("never"))])
            #expect(missing.isError)
            #expect(try place.names == ["copy"])
            #expect(try FileManager.default.contentsOfDirectory(atPath: local.path).sorted() == ["back", "source"])
            let resident = worker.status("VmHWM")?.split(separator: " ").first.flatMap { Int($0) } ?? 0
            #expect(resident < 100_000, "resident \(resident) kB")
        }
    }

    @Test("downloads that fail do not use up the room for others")
    func failedDownloads() throws {
        let (place, local) = (try Place(), try Place())
        try place.write("file", "content")
        try withDaemon(FilesTests.writing, on: .shared()) { _, client in
            for number in 0..<17 {
                let result = try client.callTool(
                    "ssh_download_file",
                    ["remote_path": .string(place.file("missing")), "local_path": .string(local.file("\(number)"))])
                #expect(result.text.contains("does not exist"), "\(result)")
            }
            let result = try client.callTool(
                "ssh_download_file",
                ["remote_path": .string(place.file("file")), "local_path": .string(local.file("copy"))])
            #expect(result["downloaded"] == true, "\(result)")
        }
    }

    @Test("local_roots confines transfers", arguments: FileTransport.all)
    func localRoots(over transport: FileTransport) throws {
        let place = try Place()
        let local = try TemporaryDirectory()
        let other = try TemporaryDirectory()
        for directory in [local, other] { try Data("data".utf8).write(to: URL(filePath: directory.file("f"))) }
        symlink(other.file("f"), local.file("link"))
        try withDaemon(["local_roots": [.string(local.path)]], on: transport.remote()) { _, client in
            func upload(_ path: String, _ name: String) throws -> ToolResult {
                try client.callTool(
                    "ssh_upload_file", ["local_path": .string(path), "remote_path": .string(place.file(name))])
            }
            #expect(try upload(local.file("f"), "1")["uploaded"] == true)
            for path in [
                other.file("f"), local.file("link"), "\(local.path)/../\((other.path as NSString).lastPathComponent)/f",
            ] {
                let result = try upload(path, "2")
                #expect(result.isError && result.text.contains("local_roots"), "\(path): \(result)")
            }
            #expect(try place.names == ["1"])
        }
    }

    @Test(
        "a capability that is off hides its tools; a dead master is said as for ssh_exec", arguments: FileTransport.all)
    func capabilities(over transport: FileTransport) throws {
        try withDaemon(["capabilities": ["file_write": false]], on: transport.remote()) { _, client in
            let tools = try client.request("tools/list")["result"]?["tools"]?.array?.compactMap { $0["name"]?.string }
            #expect(
                tools == [
                    "ssh_connection_status", "ssh_exec", "ssh_read_file", "ssh_list_dir", "ssh_forward_port",
                    "ssh_list_forwards", "ssh_cancel_forward",
                ])
            let call = try client.request("tools/call", ["name": "ssh_write_file", "arguments": [:]])
            #expect(call["error"]?["code"] == -32602)
        }
        try withRemote(transport.options) { remote in
            try withDaemon(on: remote) { _, client in
                let path: JSON = ["path": "/etc/passwd"]
                #expect(try client.callTool("ssh_read_file", path)["encoding"] == "utf-8")
                remote.master.stop()
                try waitUntil("the dead master being said") {
                    let result = try client.callTool("ssh_read_file", path)
                    return result.isError && result.text.contains("ssh -M -S \(remote.master.socketPath)")
                }
                try remote.master.restart()
                #expect(try client.callTool("ssh_read_file", path)["encoding"] == "utf-8")
            }
        }
    }
}
