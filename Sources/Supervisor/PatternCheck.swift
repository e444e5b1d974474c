internal import Glibc
internal import IPC

/// Has a confined worker compile the patterns of a config: this process parses no regular expression. The worker says what
/// is wrong and ends, and is heard when it has ended.
final class PatternCheck {
    /// How long it may take, in milliseconds.
    static let bound = 10_000

    let config: Config
    /// The config's policy, for who adopts it.
    var sealed: OwnedFD?
    let worker: WorkerProcess
    private let path: String

    init(of config: Config, _ sealed: consuming OwnedFD, path: String, program: String) throws(StartError) {
        // It has no client.
        let null = OwnedFD(taking: open("/dev/null", O_RDWR | O_CLOEXEC))
        worker = try WorkerProcess.start(program: program, role: .check, policy: sealed, client: null)
        self.config = config
        self.sealed = consume sealed
        self.path = path
    }

    /// Checks before the daemon listens, where waiting is allowed. Throws `ConfigError` for patterns that cannot be used.
    static func run(_ config: Config, path: String, program: String) throws {
        guard !config.policy.patterns.isEmpty else { return }
        let check = try PatternCheck(of: config, try config.policy.sealed(), path: path, program: program)
        var waiting = pollfd(fd: check.worker.pidfd.rawValue, events: Int16(POLLIN), revents: 0)
        if poll(&waiting, 1, Int32(bound)) != 1 {
            check.worker.killGroup()
            poll(&waiting, 1, -1)
        }
        try check.result()?.get()
    }

    /// What the worker found; nil while it runs.
    func result() -> Result<Void, ConfigError>? {
        guard let end = worker.reap() else { return nil }
        var mistakes: [String] = []
        do throws(IPCError) {
            while let incoming = try worker.channel.receive(ToSupervisor.self) {
                switch incoming.message {
                case .ready: break
                case .patternInvalid(let index, let reason): mistakes.append("safeguards.patterns[\(index)] \(reason)")
                case .patternsChecked:
                    return mistakes.isEmpty ? .success(()) : .failure(ConfigError(path: path, mistakes: mistakes))
                case .clientGone, .clientDropped, .openLocal, .createLocal, .commitLocal, .abandonLocal, .auditBegin,
                    .auditEnd:
                    throw .badValue
                }
            }
        } catch {
            // It ended before its last message, or sent another one.
        }
        return .failure(ConfigError(path: path, mistakes: ["safeguards.patterns cannot be checked: \(reason(end))"]))
    }

    private func reason(_ end: WorkerEnd) -> String {
        var said = [UInt8](repeating: 0, count: 1000)
        let count = max(0, read(worker.log.rawValue, &said, said.count))
        return "the worker ended early (\(end)) \(String(decoding: said[..<count], as: UTF8.self))"
    }
}
