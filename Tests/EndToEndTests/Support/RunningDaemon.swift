import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// A `claude-ssh-daemon` with a directory, configuration and environment of its own.
///
/// Killed by `stop()` and `deinit`. In optimised builds a variable dies with its last use: where a test looks at the
/// daemon only through its effects, `withDaemon` keeps it alive.
final class RunningDaemon: Sendable {
    struct Options: Sendable {
        /// Runs as this account (root only); nil is this process's own.
        var account: Account?
        /// Added to `HOME`, `PATH`, `XDG_RUNTIME_DIR` and `LANG`, which are all there is.
        var environment: [String: String] = [:]
        /// Another program than the one under test.
        var binary: String?
        /// Of the configuration file.
        var configMode: mode_t = 0o600
    }

    let socketPath: String
    let configFile: String
    let logFile: String
    /// `XDG_RUNTIME_DIR` of the daemon.
    let runtimeDirectory: String
    let account: Account?
    private let directory: TemporaryDirectory
    private let process: ChildProcess
    private let remote: Remote?

    /// Returns when the daemon has logged "listening".
    /// - Parameters:
    ///   - config: without `mcp_socket` a path in the daemon's own directory is put in; with `null` for it the key is
    ///     left out, and the daemon takes its default.
    ///   - remote: kept alive as long as the daemon.
    init(config: JSON, _ options: Options = Options(), remote: Remote? = nil) throws {
        try Account.prepare()
        let files = try LaunchFiles(config: config, options)
        (directory, configFile, socketPath) = (files.directory, files.configFile, files.socketPath)
        runtimeDirectory = files.directory.path
        logFile = files.directory.file("daemon.log")
        account = options.account
        self.remote = remote
        process = try files.launch(options, stdout: .null, stderr: .file(logFile))
        do { try waitForLog("listening") } catch {
            stop()
            throw error
        }
    }

    deinit { stop() }

    var pid: pid_t { process.pid }

    /// nil while it runs.
    var status: ExitStatus? { process.status }

    func signal(_ number: Int32) { process.signal(number) }

    /// SIGTERM, and how the daemon then ended.
    func terminate(timeout: Duration = defaultTimeout) throws -> ExitStatus {
        signal(SIGTERM)
        return try process.waitForExit(timeout: timeout)
    }

    func waitForExit(timeout: Duration = defaultTimeout) throws -> ExitStatus {
        try process.waitForExit(timeout: timeout)
    }

    /// SIGKILL to the daemon alone: what it has started is left to its own devices.
    func kill9() throws {
        signal(SIGKILL)
        try process.waitForExit()
    }

    /// Ends the daemon and all that it has started, and removes its directory.
    func stop() {
        let started = status == nil ? ProcessTable().descendants(of: pid) : []
        process.stop()
        for process in started { process.killIfAlive() }
        directory.remove()
    }

    /// Replaces the configuration file; the daemon reads it on SIGHUP.
    func rewriteConfig(_ config: JSON) throws {
        try directory.write("config.json", LaunchFiles.complete(config, directory).encoded(), owner: account)
    }

    /// The daemon's children that are workers, zombies included.
    func workers() -> [ProcessEntry] {
        ProcessTable().children(of: pid).filter { $0.comm.hasPrefix("claude-ssh-work") }
    }

    func workerPIDs() -> [pid_t] { workers().map(\.pid) }

    /// The one worker, as soon as there is exactly one.
    func waitForWorker() throws -> ProcessEntry {
        try waitFor("one worker of daemon \(pid)") {
            let workers = workers()
            return workers.count == 1 ? workers.first : nil
        }
    }
}

extension RunningDaemon {
    /// Everything on stderr so far; a line that is no JSON object appears as `{"unparsed": line}`.
    func logRecords() -> [JSON] {
        let text = (try? Data(contentsOf: URL(filePath: logFile))) ?? Data()
        guard let end = text.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
        return text[..<end].split(separator: UInt8(ascii: "\n")).map { line in
            let record = try? JSON(parsing: Data(line))
            guard let record, record.object != nil else {
                return ["unparsed": .string(String(decoding: line, as: UTF8.self))]
            }
            return record
        }
    }

    func logText() -> String { (try? String(contentsOfFile: logFile, encoding: .utf8)) ?? "" }

    /// The first record with this `msg` for which `matches` holds, waiting for it to come.
    /// - Parameter start: skips that many records, as counted by `logRecords().count` before.
    @discardableResult
    func waitForLog(
        _ msg: String, from start: Int = 0, timeout: Duration = defaultTimeout,
        sourceLocation: SourceLocation = #_sourceLocation, where matches: (JSON) -> Bool = { _ in true }
    ) throws -> JSON {
        try waitFor("log record “\(msg)” in\n\(logText())", timeout: timeout, sourceLocation: sourceLocation) {
            let status = status
            let found = logRecords().dropFirst(start).first { $0["msg"]?.string == msg && matches($0) }
            if found == nil, let status {
                throw HarnessError(
                    "daemon ended (\(status)) without logging “\(msg)”:\n\(logText())", at: sourceLocation)
            }
            return found
        }
    }

    /// A connection to the daemon, opened and, unless told otherwise, initialised.
    func connect(_ transport: LineConnection.Transport? = nil, initialize: Bool = true) throws -> MCPClient {
        // A root client of another account's daemon would be turned away by its uid check.
        let client = try MCPClient(
            socket: socketPath, transport ?? (account == nil ? .direct : .socat(account)), keeping: self)
        if initialize { try client.initialize() }
        return client
    }
}

/// Runs a daemon that must refuse to start.
/// - Parameter config: written as it is, so that it may also be no JSON.
func runDaemonExpectingFailure(
    config: String, _ options: RunningDaemon.Options = RunningDaemon.Options(), timeout: Duration = defaultTimeout
) throws -> (status: ExitStatus, stderr: String) {
    let files = try LaunchFiles(contents: Data(config.utf8), options)
    let log = files.directory.file("daemon.log")
    let process = try files.launch(options, stdout: .null, stderr: .file(log))
    let status = try process.waitForExit(timeout: timeout)
    guard status != .exited(0) else { throw HarnessError("the daemon ended with exit code 0, a refusal was expected") }
    return (status, try String(contentsOfFile: log, encoding: .utf8))
}

func runDaemonExpectingFailure(
    config: JSON, _ options: RunningDaemon.Options = RunningDaemon.Options(), timeout: Duration = defaultTimeout
) throws -> (status: ExitStatus, stderr: String) {
    try runDaemonExpectingFailure(
        config: String(decoding: config.encoded(), as: UTF8.self), options, timeout: timeout)
}

/// The directory, configuration and environment of one daemon.
private struct LaunchFiles {
    let directory: TemporaryDirectory
    let configFile: String
    var socketPath = ""

    init(config: JSON, _ options: RunningDaemon.Options) throws {
        let directory = try TemporaryDirectory(owner: options.account)
        let complete = LaunchFiles.complete(config, directory)
        try self.init(contents: complete.encoded(), options, directory)
        socketPath = complete["mcp_socket"]?.string ?? directory.file("claude-ssh-daemon.sock")
    }

    init(contents: Data, _ options: RunningDaemon.Options, _ directory: TemporaryDirectory? = nil) throws {
        self.directory = try directory ?? TemporaryDirectory(owner: options.account)
        configFile = try self.directory.write(
            "config.json", contents, mode: options.configMode, owner: options.account)
    }

    static func complete(_ config: JSON, _ directory: TemporaryDirectory) -> JSON {
        guard config["mcp_socket"] == nil else {
            // A merge patch onto nothing drops the nulls.
            return JSON.object([:]).merging(config)
        }
        return config.merging(["mcp_socket": .string(directory.file("mcp.sock"))])
    }

    func launch(
        _ options: RunningDaemon.Options, stdout: ChildProcess.Stdio, stderr: ChildProcess.Stdio
    ) throws -> ChildProcess {
        let folder = options.account == nil ? BuiltBinaries.folder : BuiltBinaries.folderForAllAccounts
        let binary = try options.binary ?? "\(folder())/\(BuiltBinaries.daemonName)"
        let environment = ChildProcess.plainEnvironment.merging([
            "HOME": options.account?.home ?? directory.path, "XDG_RUNTIME_DIR": directory.path,
        ]) { $1 }
        return try ChildProcess(
            binary, ["--config", configFile], environment: environment.merging(options.environment) { $1 },
            account: options.account, stdout: stdout, stderr: stderr)
    }
}
