import Foundation
import Testing
import TestSupport

/// An audit log of a daemon, in a directory of its own.
final class AuditTrail: Sendable {
    let directory: TemporaryDirectory
    let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("audit.log")
    }

    /// The entry of a config.
    var config: JSON { ["audit_log": .string(path)] }

    /// The lines of the file, the oldest first; one that is no JSON is an error.
    func records(_ name: String = "audit.log") throws -> [JSON] {
        try Data(contentsOf: URL(filePath: directory.file(name))).split(separator: UInt8(ascii: "\n"))
            .map { try JSON(parsing: Data($0)) }
    }

    func calls(_ name: String = "audit.log") throws -> [JSON] {
        try records(name).filter { $0["event"] == "call" }
    }

    /// The newest record; the others are not parsed.
    func last() throws -> JSON? {
        try Data(contentsOf: URL(filePath: path)).split(separator: UInt8(ascii: "\n")).last.map {
            try JSON(parsing: Data($0))
        }
    }

    /// As many calls as that, waiting for them: a line comes right after the client's answer.
    func waitForCalls(_ count: Int, sourceLocation: SourceLocation = #_sourceLocation) throws -> [JSON] {
        try waitFor("\(count) calls in the audit log", sourceLocation: sourceLocation) {
            let calls = try calls()
            return calls.count >= count ? calls : nil
        }
    }

    /// Runs `claude-ssh-daemon audit verify` on files of the directory.
    func verify(_ names: [String] = ["audit.log"], last: String? = nil) throws -> CommandResult {
        try runDaemonCommand(["audit", "verify"] + (last.map { ["--last", $0] } ?? []) + names.map(directory.file))
    }
}

/// Runs a command of the daemon's program that ends by itself.
func runDaemonCommand(_ arguments: [String], environment: [String: String] = [:]) throws -> CommandResult {
    try run(
        BuiltBinaries.folder() + "/\(BuiltBinaries.daemonName)", arguments,
        environment: ChildProcess.plainEnvironment.merging(environment) { $1 })
}
