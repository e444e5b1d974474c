import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// What listens at a host's socket may be no ControlMaster.
@Suite struct StrangeListenerTests {
    /// How it behaves when somebody connects.
    enum Conduct: String, Sendable, CaseIterable {
        case saysNothing, closesAtOnce, garbage, shortGarbage, otherVersion

        /// HELLO of the mux protocol, version 5, PROTOCOL.mux of OpenSSH.
        fileprivate var says: [UInt8] {
            switch self {
            case .saysNothing, .closesAtOnce: []
            case .garbage: Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)
            case .shortGarbage: [0x47]
            case .otherVersion: [0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 5]
            }
        }
    }

    @Test(
        "what is no ControlMaster is told within three seconds, with what to do, and nothing was run",
        arguments: Conduct.allCases)
    func told(conduct: Conduct) throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            try withDaemon(on: remote) { _, client in
                let path = remote.master.socketPath
                remote.master.stop()
                unlink(path)
                do {
                    let listener = try StrangeListener(path, conduct)
                    defer { listener.stop() }
                    let calls: [(String, JSON, String)] = [
                        ("ssh_exec", ["command": "true", "timeout_seconds": 10], "Nothing was run."),
                        ("ssh_read_file", ["path": "/etc/hostname"], "Nothing was done."),
                        (
                            "ssh_forward_port", ["remote_host": "127.0.0.1", "remote_port": 80],
                            "No forward was opened."
                        ),
                    ]
                    for (tool, arguments, outcome) in calls {
                        let start = ContinuousClock.now
                        let result = try client.callTool(tool, arguments)
                        let took = ContinuousClock.now - start
                        #expect(result.isError && result.text.contains(outcome), "\(tool): \(result)")
                        Self.expectWayOut(result.text, path, conduct)
                        #expect(took < .seconds(8), "\(tool): \(took)")
                    }
                    let start = ContinuousClock.now
                    let status = try client.callTool("ssh_connection_status")["hosts"]?.array?.first
                    #expect(ContinuousClock.now - start < .seconds(8))
                    #expect(status?["connected"] == false)
                    Self.expectWayOut(status?["hint"]?.string ?? "", path, conduct)
                }
                unlink(path)
                try remote.master.restart()
                #expect(try client.callTool("ssh_exec", ["command": "echo back"])["stdout"] == "back\n")
            }
        }
    }

    private static func expectWayOut(_ text: String, _ path: String, _ conduct: Conduct) {
        #expect(text.contains("Something listens at its socket \(path)"), "\(text)")
        let isSilent = conduct == .saysNothing || conduct == .shortGarbage
        #expect(
            text.contains(isSilent ? "does not answer" : "does not speak OpenSSH's ControlMaster protocol"), "\(text)")
        // One order of steps that works.
        let steps = ["fuser -v \(path)", "to end it", "rm -f \(path)", "ssh -M -S \(path)"].map {
            text.range(of: $0)?.lowerBound
        }
        #expect(
            steps.allSatisfy { $0 != nil } && steps.compactMap(\.self) == steps.compactMap(\.self).sorted(), "\(text)")
        #expect(!text.contains("does not replace"), "\(text)")
    }

    @Test("twenty calls at once ask one time, and all are told")
    func manyAtOnce() throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            try withDaemon(on: remote) { _, client in
                remote.master.stop()
                unlink(remote.master.socketPath)
                let listener = try StrangeListener(remote.master.socketPath, .saysNothing)
                defer { listener.stop() }
                let calls = try (0..<20).map { _ in try client.beginTool("ssh_exec", ["command": "true"]) }
                for call in calls {
                    #expect(try call.waitForTool(timeout: .seconds(5)).text.contains("does not answer"))
                }
                #expect(listener.connections == 1)
            }
        }
    }

    @Test("where the socket's directory is missing, the hint makes it first, and works as it is typed")
    func missingDirectory() throws {
        let place = try TemporaryDirectory(readableByAll: true)
        try withRemote(PrivateSSHD.Options()) { remote in
            for directory in [place.file("not there"), place.file("a/b'c")] {
                let entry = remote.hostEntry.merging(["socket": .string("\(directory)/s")])
                try withDaemon(["hosts": ["box": entry]], on: remote) { _, client in
                    let quoted = "'" + directory.replacing("'", with: "'\\''")
                    let command = try run("/bin/sh", ["-c", "printf %s \(quoted)'"])
                    #expect(command.outputText == directory)
                    let wanted = "mkdir -p -m 700 \(quoted)' && ssh -M -S \(quoted)/s' -fN "
                    let texts = [
                        try client.callTool("ssh_exec", ["command": "true"]).text,
                        try client.callTool("ssh_connection_status").text,
                        try client.callTool("ssh_read_file", ["path": "/etc/hostname"]).text,
                    ]
                    // The text of a status is JSON.
                    for text in texts {
                        let plain = text.replacing("\\\\", with: "\\")
                        #expect(plain.contains(wanted), "\(text)")
                    }
                    try runSuccessfully("/bin/sh", ["-c", String(wanted.prefix { $0 != "&" })])
                    var status = stat()
                    #expect(stat(directory, &status) == 0 && status.st_mode & 0o777 == 0o700)
                    let then = try client.callTool("ssh_exec", ["command": "true"]).text
                    #expect(then.contains("ssh -M -S") && !then.contains("mkdir"), "\(then)")
                }
            }
        }
    }
}

/// Listens at a path of a Unix socket, and behaves so.
// @unchecked: `held` is only touched under `lock`.
final class StrangeListener: @unchecked Sendable {
    private let descriptor: Int32
    private let lock = NSLock()
    private var held: [Int32] = []
    private var taken = 0
    private let ended = DispatchSemaphore(value: 0)

    var connections: Int { lock.withLock { taken } }

    init(_ path: String, _ conduct: StrangeListenerTests.Conduct) throws {
        descriptor = unixSocket()
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0, listen(descriptor, 64) == 0 else { throw HarnessError("listen at \(path): \(errnoText())") }
        Thread.detachNewThread { [self] in
            while true {
                let client = accept(descriptor, nil, nil)
                guard client >= 0 else { break }
                let says = conduct.says
                if !says.isEmpty { write(client, says, says.count) }
                lock.withLock {
                    taken += 1
                    if conduct == .closesAtOnce { close(client) } else { held.append(client) }
                }
            }
            ended.signal()
        }
    }

    func stop() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        ended.wait()
        close(descriptor)
        lock.withLock {
            for client in held { close(client) }
            held = []
        }
    }
}
