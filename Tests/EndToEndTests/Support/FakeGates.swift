import CLinux
import Foundation
import Glibc
import TestSupport

/// A place where gates misbehave: a copy of the daemon beside `FakeGate`, which is told here what the next ones do.
final class FakeGates: Sendable {
    private let directory: TemporaryDirectory

    /// - Parameter conducts: of the next gates, see `Tests/FakeGate`; those after them are real ones.
    init(_ conducts: [String]) throws {
        directory = try TemporaryDirectory(readableByAll: true)
        let folder = try BuiltBinaries.folder()
        let gate = BuiltBinaries.gateName
        for (name, copy) in [
            (BuiltBinaries.daemonName, BuiltBinaries.daemonName), (BuiltBinaries.workerName, BuiltBinaries.workerName),
            (BuiltBinaries.fileBrokerName, BuiltBinaries.fileBrokerName), ("FakeGate", gate), (gate, gate + ".real"),
        ] {
            try FileManager.default.copyItem(atPath: "\(folder)/\(name)", toPath: directory.file(copy))
            chmod(directory.file(copy), 0o755)
        }
        try directory.write("script", conducts.map { $0 + "\n" }.joined())
    }

    /// The daemon that starts them.
    var options: RunningDaemon.Options { RunningDaemon.Options(binary: directory.file(BuiltBinaries.daemonName)) }

    /// Where the gate's program lies, to be taken away.
    var program: String { directory.file(BuiltBinaries.gateName) }
}

extension RunningDaemon {
    /// The daemon's children that are gates, without zombies.
    func gates() -> [ProcessEntry] {
        ProcessTable().children(of: pid).filter { $0.comm == BuiltBinaries.gateName && !$0.isZombie }
    }
}
