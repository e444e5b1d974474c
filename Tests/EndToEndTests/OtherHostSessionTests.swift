import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// Hosts where a command is not the leader of its session: dropbear, and a login shell that starts the real one as its child.
/// In accounts of their own, for root only.
@Suite("Sessions of other hosts", .serialized, .enabled(if: Account.canCreate, "only root can make accounts"))
struct OtherHostSessionTests {
    enum Host: CaseIterable {
        case dropbear
        case wrappedShell

        func options() throws -> PrivateSSHD.Options {
            switch self {
            case .dropbear: PrivateSSHD.Options(program: .dropbear, purpose: "dropbear")
            case .wrappedShell: PrivateSSHD.Options(loginShell: try Account.wrappedShell())
            }
        }
    }

    private static func running(_ mark: String, on remote: Remote) -> [ProcessEntry] {
        remote.sshd.remoteProcesses(running: mark).filter { $0.comm == "sleep" }
    }

    /// As much of it as sleeps, two levels below the shell and beside it.
    private static func command(_ mark: String) -> JSON { .string("(sleep \(mark) &); sleep \(mark); echo after") }

    @Test(arguments: Host.allCases)
    func `a command there gives its output, its input is read, and its status is told`(host: Host) throws {
        try withRemote(host.options()) { remote in
            // What is tried here is a host of the kind: the shell that runs a command leads no session.
            let own = try remote.master.exec("ps -o sid= -p $$; echo $$").outputText
            let words = own.split(whereSeparator: \.isWhitespace)
            try #require(words.count == 2 && words[0] != words[1], "\(own)")
            try withDaemon(on: remote) { _, client in
                let result = try client.callTool(
                    "ssh_exec", ["command": "cat; echo error >&2; exit 7", "stdin": "in\n"])
                #expect(result["stdout"] == "in\n" && result["stderr"] == "error\n", "\(result)")
                #expect(result["exit_code"] == 7 && result["timed_out"] == false, "\(result)")
            }
        }
    }

    @Test(arguments: Host.allCases)
    func `at its timeout nothing of a command is left there, and that is confirmed`(host: Host) throws {
        try withRemote(host.options()) { remote in
            try withDaemon(on: remote) { _, client in
                for command in [
                    "sleep 64.63", "trap '' TERM; sleep 64.63; sleep 64.63", "(sleep 64.63 &); sleep 64.63",
                ] {
                    let result = try client.callTool(
                        "ssh_exec", ["command": .string(command), "timeout_seconds": 1], timeout: .seconds(25))
                    #expect(result["timed_out"] == true && result["stopped"] == "confirmed", "\(command): \(result)")
                    #expect(OtherHostSessionTests.running("64.63", on: remote).isEmpty, "\(command)")
                }
                #expect(try client.callTool("ssh_exec", ["command": "echo after"])["stdout"] == "after\n")
            }
        }
    }

    /// dropbear 2022.83 closes a session that is opened while the command of another one ends, loses its output, or ends the connection.
    @Test(arguments: Host.allCases)
    func `thirty calls at once each run once, with their output, also beside a long one and an open channel`(
        host: Host
    ) throws {
        try withRemote(host.options()) { remote in
            try withDaemon(on: remote) { _, client in
                let place = try TemporaryDirectory(readableByAll: true)
                chmod(place.path, 0o777)
                for round in 0..<2 {
                    let calls = try (0..<30).map { number in
                        try client.beginTool(
                            "ssh_exec",
                            [
                                "command": .string("echo x >>\(place.file("\(round).\(number)")); echo \(number)"),
                                "timeout_seconds": 60,
                            ])
                    }
                    for (number, call) in calls.enumerated() {
                        let result = try call.waitForTool(timeout: .seconds(90))
                        #expect(result["stdout"]?.string == "\(number)\n", "\(result)")
                        let ran = try? String(contentsOfFile: place.file("\(round).\(number)"), encoding: .utf8)
                        #expect(ran == "x\n")
                    }
                    guard round == 0 else { break }
                    // What runs for long does not keep the others waiting.
                    _ = try client.beginTool("ssh_exec", ["command": "exec sleep 600", "timeout_seconds": 600])
                    #expect(!(try client.callTool("ssh_list_dir", ["path": .string(place.path)])).isError)
                }
            }
        }
    }

    /// Its parent has ended, and it holds none of the command's output. Where the session is the command's alone it is stopped,
    /// and where it may be another command's it is not.
    @Test(arguments: Host.allCases)
    func `a stop is confirmed where no orphan of the command is left there, and only then`(host: Host) throws {
        try withRemote(host.options()) { remote in
            try withDaemon(on: remote) { _, client in
                for template in [
                    "( (SLEEP >/dev/null 2>&1 &) & ); SLEEP", "nohup SLEEP >/dev/null 2>&1 & exec SLEEP",
                    "trap '' TERM; (SLEEP </dev/null >/dev/null 2>&1 &); SLEEP; SLEEP",
                ] {
                    let mark = "35\(UInt32.random(in: 1_000_000...9_999_999))"
                    let otherMark = "36\(UInt32.random(in: 1_000_000...9_999_999))"
                    let command = template.replacing("SLEEP", with: "sleep \(mark)")
                    let other = try client.beginTool(
                        "ssh_exec", ["command": .string("sleep \(otherMark)"), "timeout_seconds": 600])
                    try waitUntil("another command") { !OtherHostSessionTests.running(otherMark, on: remote).isEmpty }
                    let result = try client.callTool(
                        "ssh_exec", ["command": .string(command), "timeout_seconds": 1], timeout: .seconds(25))
                    let left = OtherHostSessionTests.running(mark, on: remote)
                    for process in left { process.killIfAlive() }
                    #expect(result["timed_out"] == true, "\(command): \(result)")
                    #expect(
                        result["stopped"]?.string == (left.isEmpty ? "confirmed" : "signalled"), "\(command): \(result)"
                    )
                    switch host {
                    case .dropbear: break
                    case .wrappedShell: #expect(left.isEmpty, "\(command)")
                    }
                    #expect(!OtherHostSessionTests.running(otherMark, on: remote).isEmpty, "\(command)")
                    try client.cancel(other)
                    try waitUntil("the other stopped") { OtherHostSessionTests.running(otherMark, on: remote).isEmpty }
                }
            }
        }
    }

    @Test(arguments: Host.allCases)
    func `a cancelled call, and a client that goes, leave nothing of their commands there`(host: Host) throws {
        try withRemote(host.options()) { remote in
            try withDaemon(on: remote) { daemon, client in
                let mark = "33\(UInt32.random(in: 1_000_000...9_999_999))"
                let arguments: JSON = ["command": OtherHostSessionTests.command(mark), "timeout_seconds": 600]
                let call = try client.beginTool("ssh_exec", arguments)
                try waitUntil("the command running") { OtherHostSessionTests.running(mark, on: remote).count == 2 }
                try client.cancel(call)
                try waitUntil("the command stopped") { OtherHostSessionTests.running(mark, on: remote).isEmpty }

                _ = try client.beginTool("ssh_exec", arguments)
                try waitUntil("the second command running") {
                    OtherHostSessionTests.running(mark, on: remote).count == 2
                }
                let worker = try #require(daemon.workers().first)
                client.closeAbruptly()
                try waitUntil("the second command stopped") {
                    OtherHostSessionTests.running(mark, on: remote).isEmpty
                }
                try waitUntil("its worker gone") { !worker.isAlive }
            }
        }
    }

    /// The daemon and the ControlMaster may both be gone: what watches there ends the command.
    @Test(arguments: Host.allCases)
    func `when the connection is lost, the host ends the command itself at its timeout`(host: Host) throws {
        try withRemote(host.options()) { remote in
            try withDaemon(on: remote) { _, client in
                let mark = "34\(UInt32.random(in: 1_000_000...9_999_999))"
                let call = try client.beginTool(
                    "ssh_exec", ["command": .string("sleep \(mark)"), "timeout_seconds": 3])
                try waitUntil("the command running") { !OtherHostSessionTests.running(mark, on: remote).isEmpty }
                remote.master.kill()
                let result = try call.waitForTool(timeout: .seconds(25))
                #expect(result.isError && result.text.contains("unknown"), "\(result)")
                try waitUntil("the command ended") { OtherHostSessionTests.running(mark, on: remote).isEmpty }
            }
        }
    }
}
