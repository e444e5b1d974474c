import Glibc
import SFTPFilter
import Synchronization
import TestSupport

@testable import SFTP
@testable import SSH

/// OpenSSH's sftp-server as a child, and what went through its pipes.
final class SFTPRealServer: SFTPPacketTransport {
    static let path = "/usr/lib/openssh/sftp-server"
    /// As in the worker: writing to a server that was killed is an error and no end.
    private static let ignoresPipeSignal: Void = { _ = signal(SIGPIPE, SIG_IGN) }()

    private let child: Child
    private let counts: Counts
    private let filter: Mutex<SFTPFilter?>

    /// Bytes that came from all servers of a test, and packets that went to them.
    final class Counts: Sendable {
        let received = Atomic<Int>(0)
        let sent = Mutex<[UInt8]>([])
        let servers = Mutex<[SFTPRealServer]>([])
        /// What a gate would let through, and what it would not have.
        let rules = Mutex<SFTPRules?>(nil)
        let violations = Mutex<[SFTPViolation]>([])
    }

    init(_ client: SFTPClient, command: [String], directory: String, counts: Counts) throws(SFTPError) {
        self.counts = counts
        filter = Mutex(counts.rules.withLock { $0 }.map { SFTPFilter($0) })
        _ = Self.ignoresPipeSignal
        do {
            child = try Child.start(
                path: command[0], arguments: Array(command.dropFirst()) + ["-d", directory],
                environment: ["LANG": "C.UTF-8"],
                stdout: { chunk in
                    counts.received.add(chunk.count, ordering: .relaxed)
                    client.receive(chunk)
                }, stderr: { _ in }, ended: { client.transportEnded(SessionEnd(of: $0)) })
        } catch {
            throw .notOpened(detail: "\(error)")
        }
        counts.servers.withLock { $0.append(self) }
    }

    func send(_ bytes: [UInt8]) {
        counts.sent.withLock { $0.append(bytes[4]) }
        filter.withLock { filter in
            do throws(SFTPViolation) {
                // Each is a whole packet.
                _ = try filter?.judge(bytes[...])
            } catch {
                counts.violations.withLock { $0.append(error) }
                filter = nil
            }
        }
        child.write(bytes)
    }

    func close() { child.kill() }
}

/// A directory of a test with an sftp-server for it.
final class SFTPScene: Sendable {
    var directory: String { place.path }
    private let place: TemporaryDirectory
    let counts = SFTPRealServer.Counts()
    let channel: SFTPChannel

    /// `user` needs root; `hiding` takes requests and extensions away, sftp-server(8) `-P`.
    init(user: uid_t? = nil, hiding: String? = nil, deadline: Duration = .seconds(20), idle: Duration = .seconds(300)) {
        guard let place = try? TemporaryDirectory(readableByAll: true) else { preconditionFailure("mkdtemp") }
        self.place = place
        let directory = place.path
        if let user { chown(directory, user, user) }
        var command = [SFTPRealServer.path]
        if let user {
            command = ["/usr/bin/setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups"] + command
        }
        if let hiding { command += ["-P", hiding] }
        channel = SFTPChannel(deadline: deadline, idle: idle) {
            [counts, directory, command] client async throws(SFTPError) in
            try SFTPRealServer(client, command: command, directory: directory, counts: counts)
        }
    }

    deinit {
        channel.closeIfIdle()
    }

    var files: RemoteFiles { RemoteFiles(channel: channel) }

    func path(_ name: String) -> [UInt8] { Array("\(directory)/\(name)".utf8) }

    /// Names in the directory.
    func names(_ below: String = "") -> [String] {
        guard let stream = opendir("\(directory)/\(below)") else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        return names.filter { $0 != "." && $0 != ".." }.sorted()
    }

    func make(_ name: String, _ content: String = "", mode: mode_t = 0o644, owner: uid_t? = nil) {
        let path = "\(directory)/\(name)"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        precondition(descriptor >= 0 && write(descriptor, content, content.utf8.count) == content.utf8.count)
        fchmod(descriptor, mode)
        close(descriptor)
        if let owner { chown(path, owner, owner) }
    }

    func content(_ name: String) -> String {
        let descriptor = open("\(directory)/\(name)", O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    func status(_ name: String) -> stat {
        var status = stat()
        lstat("\(directory)/\(name)", &status)
        return status
    }
}

/// The error of a call; nil where it has none.
func sftpError(_ work: () async throws(SFTPError) -> some Any) async -> SFTPError? {
    do throws(SFTPError) {
        _ = try await work()
        return nil
    } catch {
        return error
    }
}

extension RemoteFiles {
    /// What a path leads to: a call of one round trip that needs no handle.
    func stat(_ path: [UInt8]) async throws(SFTPError) -> SFTPAttributes {
        try await channel.use { client async throws(SFTPError) in
            let resolution = Resolution(client, path, base: base, parent: false)
            let attributes = client.send(.stat(path))
            _ = try await resolution.path()
            return try await attributes.attributes()
        }
    }
}
