internal import IPC

/// Reads the config again after a SIGHUP. A worker compiles its patterns, which takes a while. A SIGHUP that comes meanwhile is
/// remembered.
final class ConfigReload {
    /// What the daemon must do next.
    enum Step {
        /// Wait for this worker, which compiles the patterns, and call `ended` when its pidfd is readable.
        case check(WorkerProcess)
        /// Take the new config.
        case adopt(Config)
        /// Keep the old config, for this reason.
        case refuse(any Error)
    }

    private let path: String
    private let environment: [String: String]
    private let workerProgram: String
    private var check: PatternCheck?
    private var checked: Result<Config, ConfigError>?
    /// Whether a SIGHUP came during the check.
    private(set) var isWantedAgain = false
    /// When the check will have lasted too long, in milliseconds.
    private(set) var deadline: Int?

    init(path: String, environment: [String: String], workerProgram: String) {
        self.path = path
        self.environment = environment
        self.workerProgram = workerProgram
    }

    /// Reads the file whose config should replace `current`.
    func begin(current: Config, now: Int) -> Step? {
        guard check == nil else {
            isWantedAgain = true
            return nil
        }
        isWantedAgain = false
        do {
            let new = try ConfigFile.load(path, environment: environment)
            try Startup.check(new, isServing: true)
            guard PatternCheck.isNeeded(for: new.policy),
                new.policy.patterns != current.policy.patterns || new.policy.transport != current.policy.transport
            else {
                return .adopt(new)
            }
            return begin(try PatternCheck(of: new.policy, program: workerProgram), of: .success(new), now: now)
        } catch let error as ConfigError {
            guard let policy = error.policy, !policy.patterns.isEmpty,
                let check = try? PatternCheck(of: policy, program: workerProgram)
            else { return .refuse(error) }
            return begin(check, of: .failure(error), now: now)
        } catch {
            return .refuse(error)
        }
    }

    private func begin(_ check: PatternCheck, of new: Result<Config, ConfigError>, now: Int) -> Step {
        deadline = now + PatternCheck.bound
        self.check = check
        checked = new
        return .check(check.worker)
    }

    /// Ends a check that has lasted too long.
    func advance(now: Int) {
        guard let time = deadline, time <= now else { return }
        deadline = nil
        check?.giveUp()
    }

    /// Takes the result of a check; nil if its worker has not ended.
    func ended() -> Step? {
        guard let mistakes = check?.mistakes(), let new = checked else { return nil }
        check = nil
        checked = nil
        deadline = nil
        return switch new {
        case .success(let new) where mistakes.isEmpty: .adopt(new)
        case .success: .refuse(ConfigError(path: path, mistakes: mistakes))
        case .failure(let error): .refuse(error.adding(mistakes))
        }
    }

    /// Ends a check, because the daemon ends.
    func abandon() { check?.worker.killGroup() }

    /// Logs why the daemon keeps the old config.
    func log(_ error: any Error) {
        switch error {
        case let error as ConfigError: error.log("config not reloaded")
        case let error as StartError:
            Log.write(.error, "config not reloaded", ["path": .text(path), "error": .text(error.sentence)])
        default:
            Log.write(.error, "config not reloaded", ["path": .text(path), "error": .text("\(error)")])
        }
    }
}
