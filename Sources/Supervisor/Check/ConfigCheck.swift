internal import IPC

/// Says what a start of the daemon would say about a config, and what a start, a first call or a restriction would not do as its writer
/// thinks. It only looks: it makes no file, directory or socket, and asks a ControlMaster nothing but whether it lives.
package final class ConfigCheck {
    /// The weight of what was found.
    package enum Weight: String {
        /// A start would refuse it.
        case error
        /// A start would go on, and something is not as it may be meant.
        case warning
        /// What is good to know.
        case note
    }

    /// A line about a key of the config, or about a path.
    static func line(_ weight: Weight, _ key: String, _ sentence: String) -> String {
        line(weight, "\(key): \(sentence)")
    }

    /// The same for a sentence that begins with its key.
    static func line(_ weight: Weight, _ sentence: String) -> String { "\(weight.rawValue): \(sentence)" }

    private let path: String
    private let environment: [String: String]
    private let tell: (CheckWord) -> Void
    /// Whether an error was found. Then there is no time to be spent on what is thorough.
    private var hasFailed = false

    /// - Parameter tell: takes the words, one after the other.
    package init(of path: String, environment: [String: String], tell: @escaping (CheckWord) -> Void) {
        self.path = path
        self.environment = environment
        self.tell = tell
    }

    /// Does the steps from this number on. The config is read for that, and what it says is told only where 0 is the first.
    package func run(from first: Int) {
        let steps: [CheckStep]
        let config: Config
        begin(0, .config, "", path)
        do throws(ConfigError) {
            config = try ConfigFile.load(path, environment: environment)
            if first == 0 {
                say(
                    config.warnings.map { Self.line(.warning, $0) }
                        + ConfigDoubts.lines(config, environment: environment))
                say(KernelCheck.lines(config, environment: environment))
            }
            steps = CheckStep.all(for: config)
        } catch {
            guard first <= 1 else { return }
            if first == 0 {
                say(error.named.map { Self.line(.error, $0) } + error.warnings.map { Self.line(.warning, $0) })
            }
            guard let policy = error.policy, PatternCheck.isNeeded(for: policy) else { return }
            begin(1, .patterns, "safeguards.patterns", "")
            say(PatternCheck.mistakes(in: policy).map { Self.line(.error, $0) })
            return
        }
        for (index, step) in steps.enumerated() where index + 1 >= first { perform(step, index + 1, config) }
        tell(.done(hosts: config.policy.hosts.count))
    }

    private func perform(_ step: CheckStep, _ number: Int, _ config: Config) {
        func begins(_ key: String, _ path: String) { begin(number, step, key, path) }
        switch step {
        case .config, .patterns: break
        case .mcpSocket:
            begins("mcp_socket", config.mcpSocket)
            say(MCPSocketCheck.lines(config.mcpSocket, environment: environment))
        case .auditLog:
            guard let log = config.auditLog else { break }
            begins("audit_log", log)
            say(AuditLogCheck.lines(log, mcpSocket: config.mcpSocket))
        case .sockets(let directory):
            let hosts = config.policy.hosts.filter { DirectoryOwner.directory(of: $0.master.socket) == directory }
            begins(hosts.map { config.key("socket", of: $0) }.joined(separator: ", "), directory)
            say(HostSocketCheck.lines(of: hosts, in: directory, config))
        case .localRoot(let index):
            let path = config.localRoots?[index] ?? ""
            begins("local_roots[\(index)]", path)
            say(LocalRootCheck.lines(of: path, at: index))
        case .forwards:
            let file = ForwardStateFile(
                socket: config.mcpSocket, runtimeDirectory: PathExpansion(environment: environment).runtimeDirectory)
            begins("capabilities.port_forward", file.directory)
            say(
                file.problem.map {
                    [Self.line(.warning, "capabilities.port_forward", "no port can be forwarded: \($0)")]
                } ?? [])
        case .worker:
            begins("", Startup.shown("claude-ssh-worker"))
            say(WorkerTrial.lines(config, isThorough: !hasFailed))
        case .gate:
            begins("", Startup.shown("claude-ssh-gate"))
            say(GateTrial.lines(config, isThorough: !hasFailed))
        case .fileBroker:
            begins("", Startup.shown("claude-ssh-files"))
            say(FileBrokerTrial.lines(config, at: path, environment: environment))
        }
    }

    private func begin(_ number: Int, _ step: CheckStep, _ key: String, _ path: String) {
        tell(.step(number, patience: step.patience, key: key, path: path))
    }

    private func say(_ lines: [String]) {
        for line in lines {
            hasFailed = hasFailed || line.hasPrefix(Weight.error.rawValue)
            tell(.found(line))
        }
    }
}
