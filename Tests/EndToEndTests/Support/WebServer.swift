import CLinux
import Foundation
import Glibc

/// What stands behind a forward: answers every connection with one page, and counts them.
// @unchecked: `count` is only touched under `lock`.
final class WebServer: @unchecked Sendable {
    let port: Int
    let page: String
    private let descriptor: Int32
    private let lock = NSLock()
    private var count = 0

    /// - Parameter port: 0 for a free one.
    init(port wanted: Int = 0) throws {
        page = "page \(UInt64.random(in: .min ... .max)) \(String(repeating: "x", count: 100_000)) end"
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = loopback(wanted)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let fd = descriptor
        let done = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(fd, $0, length) == 0 && listen(fd, 64) == 0 && getsockname(fd, $0, &length) == 0
            }
        }
        guard fd >= 0, done else { throw HarnessError("listen: \(errnoText())") }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in serve() }
    }

    /// Connections so far.
    var connections: Int { lock.withLock { count } }

    /// Ends the server; its port is free again.
    func stop() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    private func serve() {
        while true {
            let client = accept(descriptor, nil, nil)
            guard client >= 0 else { break }
            lock.withLock { count += 1 }
            var request = [UInt8](repeating: 0, count: 4096)
            _ = recv(client, &request, request.count, 0)
            var rest = Array("HTTP/1.0 200 OK\r\n\r\n\(page)".utf8)[...]
            while !rest.isEmpty {
                let sent = rest.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                guard sent > 0 else { break }
                rest = rest.dropFirst(sent)
            }
            close(client)
        }
        close(descriptor)
    }
}

private func loopback(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    address.sin_port = UInt16(port).bigEndian
    return address
}

/// The page behind 127.0.0.1:port; empty where the connection is closed without an answer.
/// - Throws: `HarnessError` where nobody listens.
func fetch(port: Int) throws -> String {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard fd >= 0 else { throw HarnessError("socket: \(errnoText())") }
    defer { close(fd) }
    var patience = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var address = loopback(port)
    let connected = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
    guard connected else { throw HarnessError("connect to \(port): \(errnoText())") }
    let request = "GET / HTTP/1.0\r\n\r\n"
    _ = send(fd, request, request.utf8.count, Int32(MSG_NOSIGNAL))
    var answer = Data()
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = recv(fd, &chunk, chunk.count, 0)
        if count < 0 && errno == EAGAIN { throw HarnessError("no answer from \(port)") }
        guard count > 0 else { break }
        answer.append(contentsOf: chunk[..<count])
    }
    let text = String(decoding: answer, as: UTF8.self)
    return text.firstRange(of: "\r\n\r\n").map { String(text[$0.upperBound...]) } ?? text
}

/// A listening socket, as /proc/net/tcp and tcp6 write it.
struct ListeningSocket: Hashable {
    let address: String
    let port: Int
    let inode: String

    /// All that there are: what either of two looks has seen, because a table that changes while it is read can leave a
    /// line out.
    static func all() throws -> Set<ListeningSocket> { try look().union(look()) }

    private static func look() throws -> Set<ListeningSocket> {
        let lines = try ["/proc/net/tcp", "/proc/net/tcp6"].flatMap {
            String(decoding: try contents($0), as: UTF8.self).split(separator: "\n")
        }
        return Set(
            lines.compactMap { line in
                let fields = line.split(separator: " ")
                guard fields.count > 9, fields[3] == "0A", let colon = fields[1].lastIndex(of: ":"),
                    let port = Int(fields[1][colon...].dropFirst(), radix: 16)
                else { return nil }
                return ListeningSocket(address: String(fields[1][..<colon]), port: port, inode: String(fields[9]))
            })
    }

    /// A short read is not the end of such a file, as Foundation takes it for.
    private static func contents(_ path: String) throws -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw HarnessError("\(path) cannot be read") }
        defer { close(file) }
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while case let count = read(file, &chunk, chunk.count), count > 0 { all += chunk[..<count] }
        return all
    }
}

/// Local addresses that are listened on at this port.
func listeners(on port: Int) throws -> [String] {
    try ListeningSocket.all().filter { $0.port == port }.map(\.address)
}
