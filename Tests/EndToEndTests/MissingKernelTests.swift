import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// Containers and kernels in which a part of the confinement is missing: it is said at the start, and nothing is served without it
/// that nobody has asked for.
@Suite struct MissingKernelTests {
    /// What is missing, and how it shows.
    struct Missing: Sendable {
        /// Of `Tests/FakeSSH`, which starts the daemon without that.
        let conduct: String
        let transport: String
        /// What `check`, a start and a reload say; nil where nothing needs it.
        let words: [String]?

        static let all = [
            Missing(conduct: "no-landlock", transport: "mux", words: ["has no Landlock", "require_landlock"]),
            Missing(conduct: "no-landlock", transport: "ssh", words: ["has no Landlock", "require_landlock"]),
            Missing(conduct: "no-seccomp", transport: "mux", words: ["seccomp", "container"]),
            Missing(conduct: "no-seccomp", transport: "ssh", words: ["seccomp", "container"]),
            Missing(conduct: "no-notification", transport: "mux", words: nil),
            Missing(
                conduct: "no-notification", transport: "ssh",
                words: ["no seccomp notification here (Invalid argument)", #""transport": "mux" does not"#]),
            Missing(conduct: "with-listener", transport: "mux", words: nil),
            Missing(
                conduct: "with-listener", transport: "ssh",
                words: ["has a filter with one already", #""transport": "mux" does not"#]),
        ]
    }

    private static func launcher(_ conduct: String, in place: TemporaryDirectory) throws -> String {
        try place.copyProgram("\(BuiltBinaries.folder())/FakeSSH", as: conduct)
    }

    /// A program that runs the daemon of this build without that. Beside it lies nothing: the daemon itself is the built one.
    private static func start(_ missing: String, in place: TemporaryDirectory, _ arguments: [String]) throws
        -> CommandResult
    {
        let daemon = "\(try BuiltBinaries.folder())/\(BuiltBinaries.daemonName)"
        return try run(launcher(missing, in: place), [daemon] + arguments)
    }

    @Test(
        "check and a start refuse it with what is missing and what to do",
        arguments: Missing.all.filter { $0.words != nil })
    func refused(missing: Missing) throws {
        let place = try TemporaryDirectory(readableByAll: true)
        let config = try place.write("config.json", try Self.config(place, missing.transport).encoded())
        try #require(chmod(config, 0o600) == 0)
        let checked = try Self.start(missing.conduct, in: place, ["check", "--config", config])
        #expect(checked.status != .exited(0))
        let started = try Self.start(missing.conduct, in: place, ["--config", config])
        #expect(started.status == .exited(1) || started.status == .exited(2), "\(started.errorText)")
        for word in missing.words ?? [] {
            #expect(checked.outputText.contains(word), "\(checked.outputText)")
            #expect(started.errorText.replacing(#"\""#, with: "\"").contains(word), "\(started.errorText)")
        }
        #expect(!started.errorText.contains(#""listening""#))
    }

    private static func config(_ place: TemporaryDirectory, _ transport: String) throws -> JSON {
        try Remote.shared().config([
            "mcp_socket": .string(place.file("mcp.sock")), "transport": .string(transport),
        ])
    }

    @Test(
        "what does not need it serves there",
        arguments: [
            ("no-landlock", "mux", false), ("no-landlock", "ssh", false), ("no-notification", "mux", true),
            ("with-listener", "mux", true),
        ])
    func served(conduct: String, transport: String, needsLandlock: Bool) throws {
        let place = try TemporaryDirectory(readableByAll: true)
        let all = try Self.config(place, transport).merging(["sandbox": ["require_landlock": .bool(needsLandlock)]])
        let config = try place.write("config.json", try all.encoded())
        try #require(chmod(config, 0o600) == 0)
        let daemon = "\(try BuiltBinaries.folder())/\(BuiltBinaries.daemonName)"
        let log = place.file("log")
        let process = try ChildProcess(
            Self.launcher(conduct, in: place), [daemon, "--config", config],
            environment: ChildProcess.plainEnvironment.merging(["HOME": place.path, "XDG_RUNTIME_DIR": place.path]) {
                $1
            },
            stdout: .null, stderr: .file(log))
        defer { process.stop() }
        func said() -> String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }
        try waitUntil("it to listen: \(said())") { said().contains(#""listening""#) || process.status != nil }
        let client = try MCPClient(socket: place.file("mcp.sock"))
        try client.initialize()
        let run = try client.callTool("ssh_exec", ["command": "echo on"])
        #expect(run["stdout"] == "on\n", "\(run)")
        let listed = try client.callTool("ssh_list_dir", ["path": "/"])
        #expect(!listed.isError, "\(listed)")
        #expect(said().contains("sandbox.require_landlock is false") == !needsLandlock, "\(said())")
        client.closeAbruptly()
        process.signal(SIGTERM)
        #expect(try process.waitForExit() == .exited(0))
    }
}
