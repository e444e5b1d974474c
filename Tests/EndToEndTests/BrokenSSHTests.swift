import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// An `ssh_path` that names no `ssh` that works: what is said, and that the ControlMaster is not blamed.
@Suite struct BrokenSSHTests {
    private static let ssh = "/usr/bin/ssh"

    /// What lies at `ssh_path`.
    enum Kind: String, Sendable, CaseIterable {
        case missing, directory, fifo, script, notExecutable, truncated, hardlyThere, otherMachine
        case alwaysSucceeds, alwaysFails, crashes

        /// Whether its file shows it.
        var isSeen: Bool {
            switch self {
            case .missing, .directory, .fifo, .script, .notExecutable, .truncated, .hardlyThere, .otherMachine: true
            case .alwaysSucceeds, .alwaysFails, .crashes: false
            }
        }

        /// A word of the mistake that `check` tells.
        var word: String {
            switch self {
            case .missing: "No such file"
            case .directory: "a directory"
            case .fifo: "no regular file"
            case .script: "not a script"
            case .notExecutable: "Permission denied"
            case .truncated, .hardlyThere: "damaged"
            case .otherMachine: "another kind of machine"
            case .alwaysSucceeds: "status 0"
            case .alwaysFails: "status 1"
            case .crashes: "SIGSEGV"
            }
        }

        /// Puts it at a path.
        func make(_ path: String) throws {
            unlink(path)
            var program = try Data(contentsOf: URL(filePath: ssh))
            var mode: mode_t = 0o755
            switch self {
            case .missing: return
            case .directory:
                return try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            case .fifo:
                try #require(mkfifo(path, 0o777) == 0)
                return
            case .script: program = Data("#!/bin/sh\nexec ssh \"$@\"\n".utf8)
            case .notExecutable: mode = 0o644
            case .truncated: program = program.prefix(program.count / 2)
            case .hardlyThere: program = program.prefix(40)
            case .otherMachine: program[18] = program[18] == 0x28 ? 0x3E : 0x28
            case .alwaysSucceeds: program = try Data(contentsOf: URL(filePath: "/bin/true"))
            case .alwaysFails: program = try Data(contentsOf: URL(filePath: "/bin/false"))
            // It begins within its own header, which cannot be executed.
            case .crashes: program.replaceSubrange(24..<32, with: [0x10, 0, 0, 0, 0, 0, 0, 0])
            }
            // A process of its own writes it, see `TemporaryDirectory.writeProgram`.
            try program.write(to: URL(filePath: path + ".bytes"))
            try #require(succeeds("/bin/cp", path + ".bytes", path) && chmod(path, mode) == 0)
            unlink(path + ".bytes")
        }
    }

    @Test(
        "what the file at ssh_path shows, check and a start refuse with its path and what to do",
        arguments: Kind.allCases.filter(\.isSeen))
    func seen(kind: Kind) throws {
        let place = try TemporaryDirectory(readableByAll: true)
        let path = place.file("ssh")
        try kind.make(path)
        let text =
            #"{"ssh_socket": "/run/x", "ssh_user": "u", "ssh_host": "h", "mcp_socket": "/run/m", "transport": "ssh", "ssh_path": "\#(path)"}"#
        let config = try place.write("config.json", text)
        try #require(chmod(config, 0o600) == 0)
        let checked = try runDaemonCommand(["check", "--config", config], environment: [:])
        #expect(checked.status == .exited(2))
        let line = checked.outputText.split(separator: "\n").first { $0.hasPrefix("error: ssh_path: \(path) ") }
        #expect(line?.contains(kind.word) == true, "\(kind): \(checked.outputText)")
        #expect(line?.contains("errno") == false && line?.contains("system(") == false)
        let (_, log) = try runDaemonExpectingFailure(config: text)
        #expect(log.contains(kind.word), "\(kind): \(log)")
    }

    @Test(
        "commands, files, forwards and the status do without an ssh that cannot run",
        arguments: [Kind.alwaysSucceeds, .alwaysFails, .crashes, .notExecutable, .script, .truncated], [true, false])
    func runs(kind: Kind, masterIsUp: Bool) throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            let place = try TemporaryDirectory(readableByAll: true)
            // A worker starts with a good one.
            let path = try place.copyProgram(Self.ssh, as: "ssh")
            try withDaemon(["ssh_path": .string(path)], on: remote) { _, client in
                // In the place of the good one, so that the sandbox lets it be executed.
                let other = place.file("other")
                try kind.make(other)
                try #require(succeeds("/bin/sh", "-c", #"cat -- "$1" >"$2""#, "sh", other, path))
                if kind == .notExecutable { try #require(chmod(path, 0o644) == 0) }
                if !masterIsUp {
                    remote.master.stop()
                    unlink(remote.master.socketPath)
                }
                let calls: [(String, JSON)] = [
                    ("ssh_exec", ["command": "true", "timeout_seconds": 5]),
                    ("ssh_read_file", ["path": "/etc/hostname"]),
                ]
                for (tool, arguments) in calls {
                    let result = try client.callTool(tool, arguments, timeout: .seconds(40))
                    #expect(result.isError == !masterIsUp, "\(kind) \(tool): \(result)")
                    #expect(!result.text.contains("ssh cannot run"), "\(kind) \(tool): \(result)")
                }
                let status = try client.callTool("ssh_connection_status")["hosts"]?.array?.first
                #expect(status?["connected"] == .bool(masterIsUp), "\(kind)")
                guard masterIsUp else { return }
                let forward = try client.callTool(
                    "ssh_forward_port", ["remote_host": "127.0.0.1", "remote_port": 80], timeout: .seconds(40))
                #expect(!forward.isError, "\(kind): \(forward)")
            }
        }
    }

    @Test("every name that this machine's ssh refuses is refused in the config, and what ssh takes is mostly taken")
    func names() throws {
        let place = try TemporaryDirectory()
        for (key, other) in [("user", "host"), ("host", "user")] {
            for code in UInt8(0x21)...0x7E {
                let character = Character(Unicode.Scalar(code))
                for name in ["a\(character)b", "\(character)b", "b\(character)"] {
                    let destination = key == "user" ? "\(name)@h" : "u@\(name)"
                    let ssh = try run(
                        Self.ssh,
                        ["-F", "none", "-S", "/nonexistent/s", "-o", "BatchMode=yes", "-O", "check", "--", destination])
                    guard ssh.errorText.contains("invalid characters") else { continue }
                    let config = try JSON.object([
                        "ssh_socket": "/nonexistent/s", "mcp_socket": "/nonexistent/m", "ssh_\(key)": .string(name),
                        "ssh_\(other)": "x",
                    ]).encoded()
                    let file = try place.write("config.json", config)
                    try #require(chmod(file, 0o600) == 0)
                    let checked = try runDaemonCommand(["check", "--config", file], environment: [:])
                    #expect(
                        checked.outputText.contains("error: ssh_\(key): must not"), "\(name): \(checked.outputText)")
                }
            }
        }
    }
}
