import CLinux
import Foundation
import Glibc
import TestSupport

/// Where the programs under test are.
enum BuiltBinaries {
    static let daemonName = "claude-ssh-daemon"
    static let workerName = "claude-ssh-worker"
    static let fileBrokerName = "claude-ssh-files"
    static let gateName = "claude-ssh-gate"
    /// All of the daemon.
    private static let names = [daemonName, workerName, fileBrokerName, gateName]
    /// An SFTP server for tests, see Tests/HostileSFTPServer.
    static let hostileServerName = "HostileSFTPServer"

    /// The folder that holds all: `CSD_BIN_DIR`, else beside the running test bundle, else `.build/debug`.
    static func folder() throws -> String {
        if let chosen = ProcessInfo.processInfo.environment["CSD_BIN_DIR"] {
            guard isComplete(chosen) else { throw missing("CSD_BIN_DIR=\(chosen) lacks one of them") }
            return chosen
        }
        guard let found = candidates.first(where: isComplete) else {
            throw missing("looked in \(candidates.joined(separator: ", "))")
        }
        return found
    }

    /// Where a build leaves programs.
    private static var candidates: [String] {
        let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let arguments = CommandLine.arguments.first ?? ""
        let package = URL(filePath: #filePath).pathComponents.prefix { $0 != "Tests" }.dropFirst().joined(
            separator: "/")
        return [
            URL(filePath: bundle).deletingLastPathComponent().path(percentEncoded: false),
            URL(filePath: arguments).deletingLastPathComponent().path(percentEncoded: false),
            "/\(package)/.build/debug",
        ]
    }

    /// A copy of all that every account may execute, made once a process.
    static func folderForAllAccounts() throws -> String { try shared.get().path }

    /// A copy of the hostile SFTP server that every account may execute.
    static func hostileServer() throws -> String { try hostile.get().file(hostileServerName) }

    private static let hostile = Result {
        let copy = try TemporaryDirectory(readableByAll: true)
        guard let folder = candidates.first(where: { access("\($0)/\(hostileServerName)", X_OK) == 0 }) else {
            throw HarnessError("\(hostileServerName) is not built (`swift build`)")
        }
        try copy.copyProgram("\(folder)/\(hostileServerName)", as: hostileServerName)
        return copy
    }

    private static let shared = Result {
        let copy = try TemporaryDirectory(readableByAll: true)
        let folder = try BuiltBinaries.folder()
        for name in names { try copy.copyProgram("\(folder)/\(name)", as: name) }
        return copy
    }

    private static func isComplete(_ folder: String) -> Bool {
        names.allSatisfy { access("\(folder)/\($0)", X_OK) == 0 }
    }

    private static func missing(_ detail: String) -> HarnessError {
        HarnessError("\(names.joined(separator: ", ")) are not built (`swift build`), or set CSD_BIN_DIR: \(detail)")
    }
}
