import CLinux
import Foundation
import Glibc
import TestSupport

/// A place where workers misbehave: a copy of the daemon beside `FakeWorker`, which is told here what the next ones do.
final class FakeWorkers: Sendable {
    let directory: TemporaryDirectory

    /// - Parameter conducts: of the next workers that are to serve, see `Tests/FakeWorker`; those after them are real ones.
    init(_ conducts: [String]) throws {
        directory = try TemporaryDirectory(readableByAll: true)
        let folder = try BuiltBinaries.folder()
        for (name, copy) in [
            (BuiltBinaries.daemonName, BuiltBinaries.daemonName), ("FakeWorker", BuiltBinaries.workerName),
            (BuiltBinaries.workerName, BuiltBinaries.workerName + ".real"),
            (BuiltBinaries.fileBrokerName, BuiltBinaries.fileBrokerName),
            (BuiltBinaries.gateName, BuiltBinaries.gateName),
        ] { try directory.copyProgram("\(folder)/\(name)", as: copy) }
        try directory.write("script", conducts.map { $0 + "\n" }.joined())
    }

    /// The daemon that starts them.
    var options: RunningDaemon.Options { RunningDaemon.Options(binary: directory.file(BuiltBinaries.daemonName)) }

    /// What the next workers do from now on.
    func behave(_ conducts: [String]) throws {
        try directory.write("script", conducts.map { $0 + "\n" }.joined())
    }

    /// Where a worker that is a puppet gives its channel away.
    var puppetSocket: String { directory.file("puppet.sock") }

    /// Where a worker program lies, to be taken away.
    var workerProgram: String { directory.file(BuiltBinaries.workerName) }
}

extension RunningDaemon {
    /// How often a text stands in its log. Cheap, however long the log is.
    func logCount(of text: String) -> Int {
        guard let log = try? Data(contentsOf: URL(filePath: logFile)) else { return 0 }
        let wanted = Data(text.utf8)
        var count = 0
        var rest = log.startIndex
        while let found = log.range(of: wanted, in: rest..<log.endIndex) {
            count += 1
            rest = found.upperBound
        }
        return count
    }

    /// Bytes of its log.
    var logSize: Int { (try? FileManager.default.attributesOfItem(atPath: logFile)[.size] as? Int) ?? 0 }
}

/// Sockets that listen on 127.0.0.1, as many as this process may have, at most `count`.
final class ManyListeners {
    private var sockets: [Int32] = []

    init(_ count: Int) {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let room = Int(clamping: limit.rlim_max) - 1000
        for _ in 0..<min(count, max(0, room)) {
            let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let bound = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard number >= 0, bound == 0, listen(number, 1) == 0 else {
                close(number)
                return
            }
            sockets.append(number)
        }
    }

    deinit { for number in sockets { close(number) } }
}
