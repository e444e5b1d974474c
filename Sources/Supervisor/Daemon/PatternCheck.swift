internal import CLinux
internal import Glibc
internal import IPC

/// Has a confined worker compile the patterns of a config, because this process parses no regular expressions. The worker reports
/// what is wrong and ends. Its reports are read when it has ended.
final class PatternCheck {
    /// How long it may take, in milliseconds.
    static let bound = 10_000

    let worker: WorkerProcess
    private(set) var isLate = false
    /// Whether it ended without its last message.
    private(set) var wasEarly = false
    /// How the worker ended; nil while it runs.
    private(set) var end: ProcessEnd?

    init(of policy: PolicySnapshot, program: String) throws(StartError) {
        // The worker gets no hosts, no client and no ssh. Its own program stands for ssh, because the config may name a wrong
        // one.
        var own = PolicySnapshot(hosts: [], defaultHost: "", sshPath: program)
        own.transport = policy.transport
        own.patterns = policy.patterns
        own.requireLandlock = policy.requireLandlock
        let null = OwnedFD(taking: open("/dev/null", O_RDWR | O_CLOEXEC))
        let sealed: OwnedFD
        do throws(IPCError) {
            sealed = try own.sealed()
        } catch {
            throw StartError(sentence: "the patterns cannot be handed to a worker: \(error)")
        }
        worker = try WorkerProcess.start(program: program, role: .check, policy: sealed, client: null)
    }

    /// Whether a policy has something that only a confined worker can tell: whether its patterns can be compiled, and whether this
    /// kernel lets a worker be confined for the transport.
    static func isNeeded(for policy: PolicySnapshot) -> Bool { !policy.patterns.isEmpty || policy.transport == .ssh }

    /// Checks and waits for the answer. That is allowed only before the daemon listens.
    static func mistakes(in policy: PolicySnapshot) -> [String] {
        guard isNeeded(for: policy) else { return [] }
        do throws(StartError) {
            return try PatternCheck(of: policy, program: try Startup.workerProgram()).waited()
        } catch {
            return [unchecked(error.sentence)]
        }
    }

    /// Waits for the answer.
    func waited() -> [String] {
        var waiting = pollfd(fd: worker.pidfd.rawValue, events: Int16(POLLIN), revents: 0)
        let deadline = Clock.milliseconds() + Self.bound
        _ = uninterrupted { poll(&waiting, 1, Int32(clamping: max(0, deadline - Clock.milliseconds()))) }
        if waiting.revents == 0 { giveUp() }
        while waiting.revents == 0 { poll(&waiting, 1, -1) }
        return mistakes() ?? []
    }

    /// The error, with the mistakes in the patterns of its config added.
    static func completed(_ error: ConfigError) -> ConfigError {
        guard let policy = error.policy else { return error }
        return error.adding(mistakes(in: policy))
    }

    /// Kills the worker, because it takes too long.
    func giveUp() {
        isLate = true
        worker.killGroup()
    }

    /// The mistakes that the worker found; nil while it runs.
    func mistakes() -> [String]? {
        guard let end = worker.reap() else { return nil }
        self.end = end
        if end == .exited(status: ProgramFailure.listenerStatus) {
            return ["transport: \(said.trimmingPrefix("claude-ssh-worker: ").prefix { !$0.isNewline })"]
        }
        var mistakes: [String] = []
        do throws(IPCError) {
            while let incoming = try worker.channel.receive(ToSupervisor.self) {
                switch incoming.message {
                case .life(.ready): break
                case .patterns(.invalid(let index, let reason)):
                    mistakes.append("safeguards.patterns[\(index)] \(reason)")
                case .patterns(.checked(let count)):
                    let more = Int(count) - mistakes.count
                    return more > 0 ? mistakes + ["safeguards.patterns: \(more) more cannot be used"] : mistakes
                case .life(.clientUnheard), .life(.clientSpeaks), .life(.clientNamed), .life(.callWaited),
                    .life(.clientGone), .life(.clientDropped), .files, .audit, .forwards:
                    throw .badValue
                }
            }
        } catch {
            // The worker ended before its last message, or sent one that it may not send.
        }
        wasEarly = true
        return [Self.unchecked(isLate ? "it takes too long" : "the worker ended early (\(end)) \(said)")]
    }

    private static func unchecked(_ why: String) -> String { "safeguards.patterns cannot be checked: \(why)" }

    /// What the worker wrote to its standard error.
    private(set) lazy var said: String = {
        var text = [UInt8](repeating: 0, count: 1000)
        let count = max(0, read(worker.log.rawValue, &text, text.count))
        return String(decoding: text[..<count], as: UTF8.self)
    }()
}
