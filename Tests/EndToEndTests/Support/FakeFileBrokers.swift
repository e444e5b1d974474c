import CLinux
import Foundation
import Glibc
import TestSupport

/// A place where file brokers misbehave: a copy of the daemon beside `FakeFileBroker`, which is told here what the next ones do.
final class FakeFileBrokers: Sendable {
    private let directory: TemporaryDirectory

    /// - Parameter conducts: of the next brokers, see `Tests/FakeFileBroker`; those after them are real ones.
    init(_ conducts: [String]) throws {
        directory = try TemporaryDirectory(readableByAll: true)
        let folder = try BuiltBinaries.folder()
        let broker = BuiltBinaries.fileBrokerName
        for (name, copy) in [
            (BuiltBinaries.daemonName, BuiltBinaries.daemonName), (BuiltBinaries.workerName, BuiltBinaries.workerName),
            (BuiltBinaries.gateName, BuiltBinaries.gateName), (conducts.isEmpty ? broker : "FakeFileBroker", broker),
            (broker, broker + ".real"),
        ] { try directory.copyProgram("\(folder)/\(name)", as: copy) }
        try directory.write("script", conducts.map { $0 + "\n" }.joined())
    }

    /// The daemon that starts them.
    var options: RunningDaemon.Options { RunningDaemon.Options(binary: directory.file(BuiltBinaries.daemonName)) }

    var brokerProgram: String { directory.file(BuiltBinaries.fileBrokerName) }

    /// A shell script in the broker's place.
    func write(_ script: String) throws {
        try directory.writeProgram(BuiltBinaries.fileBrokerName, "#!/bin/sh\n\(script)\n")
    }

    /// The real one in its place.
    func mend() throws {
        unlink(brokerProgram)
        try directory.copyProgram(brokerProgram + ".real", as: BuiltBinaries.fileBrokerName)
    }
}

extension RunningDaemon {
    /// The daemon's children that are file brokers, without zombies.
    func fileBrokers() -> [ProcessEntry] {
        ProcessTable().children(of: pid).filter { $0.comm.hasPrefix("claude-ssh-file") && !$0.isZombie }
    }
}
