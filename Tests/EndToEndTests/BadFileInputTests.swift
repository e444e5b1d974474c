import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// Paths and content that cannot work: each call is one error that says what to do, and nothing is changed.
@Suite struct BadFileInputTests {
    private static let overwriting: JSON = ["safeguards": ["allow_overwrite": true]]

    /// A call that must fail, and words of its answer.
    private struct Case {
        let tool: String
        let arguments: JSON
        let words: [String]
    }

    /// The five tools that take a remote path, with that path, and all else as it should be.
    private static func calls(_ path: String, local: String) -> [String: JSON] {
        [
            "ssh_read_file": ["path": .string(path)], "ssh_list_dir": ["path": .string(path)],
            "ssh_write_file": ["path": .string(path), "content": "new"],
            "ssh_edit_file": ["path": .string(path), "edits": [["old_text": "a", "new_text": "b"]]],
            "ssh_upload_file": ["remote_path": .string(path), "local_path": .string("\(local)/source")],
            "ssh_download_file": ["remote_path": .string(path), "local_path": .string("\(local)/target")],
        ]
    }

    private static let reading = ["ssh_read_file", "ssh_edit_file", "ssh_download_file"]
    private static let writing = ["ssh_write_file", "ssh_upload_file"]

    /// Everything below a directory: names, kinds, modes, and of files sizes, times and targets.
    private static func snapshot(_ path: String) throws -> String {
        let files = ["-printf", "%P %y %m %s %T@ %l\\n"]
        let lines = try run(
            findProgram("find"), [path, "(", "-type", "d", "-printf", "%P %y %m\\n", ")", "-o"] + files)
        return lines.outputText.split(separator: "\n").sorted().joined(separator: "\n")
    }

    private static func expectRefusals(_ cases: [Case], _ place: Place, _ local: Place, _ client: MCPClient) throws {
        let before = (try snapshot(place.directory.path), try snapshot(local.directory.path))
        for test in cases {
            let result = try client.callTool(test.tool, test.arguments, timeout: .seconds(20))
            #expect(result.isError, "\(test.tool) \(test.arguments): \(result)")
            for word in test.words {
                #expect(result.text.contains(word), "\(test.tool), \(word): \(result.text.prefix(400))")
            }
            // One sentence or a few, not a dump.
            #expect(result.text.utf8.count < 1500 && result.text.hasSuffix("."), "\(result.text.prefix(400))")
        }
        #expect(try snapshot(place.directory.path) == before.0)
        #expect(try snapshot(local.directory.path) == before.1)
        let alive = try client.callTool("ssh_connection_status")
        #expect(!alive.isError)
    }

    @Test("a path that is none is refused by every tool before the host is asked")
    func noPath() throws {
        let (place, local) = (try Place(), try Place())
        try local.write("source", "source")
        let bad: [(String, [String])] = [
            ("", ["empty"]), ("relative/path", ["absolute", "relative/path"]), ("~root/x", ["absolute", "~root/x"]),
            ("./x", ["absolute"]), ("/a\0b", ["NUL"]),
            ("/" + String(repeating: "a", count: 5000), ["bytes long", "4095"]),
        ]
        let cases = bad.flatMap { path, words in
            BadFileInputTests.calls(path, local: local.directory.path).map { tool, arguments in
                Case(
                    tool: tool, arguments: arguments,
                    words: words + [arguments["path"] == nil ? "\"remote_path\"" : "\"path\""])
            }
        }
        try withDaemon(BadFileInputTests.overwriting) { _, client in
            try BadFileInputTests.expectRefusals(cases, place, local, client)
        }
    }

    @Test("what the host does not let us do is told with host, path and advice", arguments: FileTransport.all)
    func refusedByTheHost(over transport: FileTransport) throws {
        let (place, local) = (try Place(), try Place())
        try local.write("source", "source")
        try place.write("file", "a")
        for (name, target) in [("loop", "pool"), ("pool", "loop")] { symlink(target, place.file(name)) }
        place.makeDirectory("dir")
        place.makeDirectory("readonly")
        try place.write("readonly/f", "a")
        chmod(place.file("readonly"), 0o555)
        chmod(place.file("readonly/f"), 0o444)
        try place.write("secret", "a")
        chmod(place.file("secret"), 0)
        place.makeDirectory("closed", mode: 0)
        defer { for name in ["closed", "readonly"] { chmod(place.file(name), 0o755) } }
        func all(_ name: String, _ tools: [String], _ words: [String]) -> [Case] {
            let calls = BadFileInputTests.calls(place.file(name), local: local.directory.path)
            return tools.map {
                Case(tool: $0, arguments: calls[$0] ?? [:], words: words + ["\"box\"", place.file(name)])
            }
        }
        let (reading, writing) = (BadFileInputTests.reading, BadFileInputTests.writing)
        let cases =
            all("none", reading + ["ssh_list_dir"], ["does not exist", "Check the path"])
            + all("none/f", writing, ["does not exist"]) + all("file/f", reading + writing, ["does not exist"])
            + all("loop", reading + ["ssh_list_dir"], ["does not exist"]) + all("loop", writing, [])
            + all("loop/f", reading + writing, []) + all("dir", reading + writing, ["not a regular file", "directory"])
            + all("file", ["ssh_list_dir"], ["no directory"]) + all("secret", reading, ["Permission denied"])
            + all("closed", ["ssh_list_dir"], ["Permission denied"])
            + all("closed/f", reading + writing, ["Permission denied"])
            + all("readonly/new", writing, ["Permission denied"]) + all("readonly/f", writing, ["Permission denied"])
            + all(String(repeating: "n", count: 300), reading + writing, [])
        try withDaemon(BadFileInputTests.overwriting, on: transport.remote()) { _, client in
            try BadFileInputTests.expectRefusals(cases, place, local, client)
        }
    }

    @Test("base_dir itself is a directory like any other, and nothing leads out of it", arguments: FileTransport.all)
    func baseDirectory(over transport: FileTransport) throws {
        let (place, local) = (try Place(), try Place())
        try local.write("source", "source")
        place.makeDirectory("base")
        try place.write("outside", "a")
        symlink("../outside", place.file("base/link"))
        symlink("..", place.file("base/up"))
        let base = place.file("base")
        let config = BadFileInputTests.overwriting.merging(["hosts": ["box": ["base_dir": .string(base)]]])
        try withDaemon(config, on: transport.remote()) { _, client in
            func all(_ path: String, _ words: [String]) -> [Case] {
                BadFileInputTests.calls(path, local: local.directory.path).map {
                    Case(tool: $0, arguments: $1, words: words + ["box", path])
                }
            }
            let cases =
                [base, "\(base)/", "\(base)/."].flatMap { path in
                    all(path, ["directory"]).filter { $0.tool != "ssh_list_dir" }
                } + all("\(base)/../outside", ["base_dir"]) + all("\(base)/up/outside", ["base_dir"])
                + all("\(base)/link", ["base_dir"]) + all("\(base)x", ["base_dir"])
            try BadFileInputTests.expectRefusals(cases, place, local, client)
            let listed = try client.callTool("ssh_list_dir", ["path": .string(base)])
            #expect(listed["entries"]?.array?.compactMap { $0["name"]?.string } == ["link", "up"])
        }
    }

    @Test("content that cannot be written changes nothing", arguments: FileTransport.all)
    func content(over transport: FileTransport) throws {
        let (place, local) = (try Place(), try Place())
        let path = JSON.string(try place.write("f", "one two two"))
        try place.write("binary", "a")
        try Data([0x61, 0xFF]).write(to: URL(filePath: place.file("binary")))
        func edit(_ edits: JSON, _ words: [String]) -> Case {
            Case(tool: "ssh_edit_file", arguments: ["path": path, "edits": edits], words: words)
        }
        let cases = [
            Case(
                tool: "ssh_write_file", arguments: ["path": path, "content": "a$b=", "encoding": "base64"],
                words: ["base64", "Nothing was written"]),
            Case(
                tool: "ssh_write_file", arguments: ["path": path, "content": "x", "encoding": "latin1"],
                words: ["encoding"]),
            Case(tool: "ssh_write_file", arguments: ["path": path], words: ["content"]),
            Case(tool: "ssh_write_file", arguments: ["path": path, "content": "x", "mode": "9"], words: ["mode"]),
            edit([["old_text": "three", "new_text": "3"]], ["does not occur"]),
            edit([["old_text": "two", "new_text": "2"]], ["2 times"]),
            edit([["old_text": "one", "new_text": "1"], ["old_text": "three", "new_text": "3"]], ["does not occur"]),
            edit([], ["edits"]), edit([["old_text": "", "new_text": "x"]], ["old_text"]),
            Case(
                tool: "ssh_edit_file",
                arguments: ["path": .string(place.file("binary")), "edits": [["old_text": "a", "new_text": "b"]]],
                words: ["not UTF-8"]),
        ]
        try withDaemon(BadFileInputTests.overwriting, on: transport.remote()) { _, client in
            try BadFileInputTests.expectRefusals(cases, place, local, client)
        }
    }

    /// A small file system in a directory of a place (root only).
    private static func withSmallDisk(_ place: Place, _ body: (String) throws -> Void) throws {
        let path = place.file("small")
        place.makeDirectory("small")
        try runSuccessfully(
            findProgram("mount"), ["-t", "tmpfs", "-o", "size=256k,mode=777", "none", path])
        defer { _ = try? runSuccessfully(findProgram("umount"), ["-l", path]) }
        try body(path)
    }

    @Test(
        "on a full disk nothing is lost and nothing half-written, here and there",
        .enabled(if: isRoot, "only root can mount a file system"), arguments: FileTransport.all)
    func fullDisk(over transport: FileTransport) throws {
        let (place, local) = (try Place(), try Place())
        try local.makeSparse("source", size: 1 << 20)
        try place.makeSparse("source", size: 1 << 20)
        try BadFileInputTests.withSmallDisk(place) { small in
            try BadFileInputTests.withSmallDisk(local) { smallHere in
                try place.write("small/old", "precious")
                try local.write("small/old", "precious")
                let content = JSON.string(String(repeating: "x", count: 600_000))
                let cases =
                    ["old", "new"].flatMap { name -> [Case] in
                        let path = JSON.string("\(small)/\(name)")
                        let here = JSON.string("\(smallHere)/\(name)")
                        return [
                            Case(
                                tool: "ssh_write_file", arguments: ["path": path, "content": content],
                                words: ["no space", "box", "free space"]),
                            Case(
                                tool: "ssh_upload_file",
                                arguments: ["remote_path": path, "local_path": .string(local.file("source"))],
                                words: ["no space", "box", "free space"]),
                            Case(
                                tool: "ssh_download_file",
                                arguments: ["remote_path": .string(place.file("source")), "local_path": here],
                                words: ["No space left", "\(smallHere)/\(name)"]),
                        ]
                    } + [
                        Case(
                            tool: "ssh_edit_file",
                            arguments: [
                                "path": .string("\(small)/old"),
                                "edits": [["old_text": "precious", "new_text": content]],
                            ], words: ["no space", "box"])
                    ]
                try withDaemon(BadFileInputTests.overwriting, on: transport.remote()) { _, client in
                    try BadFileInputTests.expectRefusals(cases, place, local, client)
                }
                #expect(try place.content("small/old") == "precious")
                #expect(try local.content("small/old") == "precious")
            }
        }
    }

    @Test("local files that may not be used are refused with advice, and the host is left alone")
    func localSide() throws {
        let (place, local) = (try Place(), try Place())
        try place.write("source", "source")
        try local.write("file", "content")
        local.makeDirectory("dir")
        local.makeDirectory("readonly", mode: 0o555)
        defer { chmod(local.file("readonly"), 0o755) }
        mkfifo(local.file("fifo"), 0o600)
        symlink("file", local.file("link"))
        symlink("/etc/passwd", local.file("out"))
        let roots: JSON = ["local_roots": [.string(local.directory.path)]]
        func up(_ path: String, _ words: [String]) -> Case {
            Case(
                tool: "ssh_upload_file",
                arguments: ["local_path": .string(path), "remote_path": .string(place.file("new"))], words: words)
        }
        func down(_ path: String, _ words: [String]) -> Case {
            Case(
                tool: "ssh_download_file",
                arguments: ["local_path": .string(path), "remote_path": .string(place.file("source"))], words: words)
        }
        let cases = [
            up("", ["empty"]), up("file", ["absolute"]), up("/a\0b", ["NUL"]),
            up("/" + String(repeating: "a", count: 5000), ["long"]),
            up(local.file("none"), ["No such file"]), up(local.file("dir"), ["not a regular file"]),
            up(local.file("fifo"), ["not a regular file"]), up("/etc/passwd", ["local_roots"]),
            up("\(local.directory.path)/../../etc/passwd", ["local_roots"]), up(local.file("out"), ["local_roots"]),
            down("", ["empty"]), down("file", ["absolute"]), down(local.file("none/f"), ["No such file"]),
            down(local.file("dir"), ["not a regular file"]), down(local.file("fifo"), ["not a regular file"]),
            down("\(local.directory.path)/", ["director"]), down("/etc/passwd", ["local_roots"]),
            down(local.file("out"), ["not a regular file"]), down("/dev/null", ["local_roots"]),
        ]
        try withDaemon(BadFileInputTests.overwriting.merging(roots)) { _, client in
            try BadFileInputTests.expectRefusals(cases, place, local, client)
            if geteuid() != 0 {
                // root writes everywhere.
                let denied = [down(local.file("readonly/f"), ["Permission denied"])]
                try BadFileInputTests.expectRefusals(denied, place, local, client)
            }
        }
    }
}
