internal import Glibc
internal import IPC

/// Starts a worker, which confines itself and compiles the patterns of the config, and tries its confinement.
enum WorkerTrial {
    /// - Parameter isThorough: whether its confinement is tried, too.
    static func lines(_ config: Config, isThorough: Bool) -> [String] {
        let program: String
        let check: PatternCheck
        do throws(StartError) {
            program = try Startup.workerProgram()
            check = try PatternCheck(of: config.policy, program: program)
        } catch {
            return [ConfigCheck.line(.error, error.sentence)]
        }
        let mistakes = check.waited()
        if check.wasEarly {
            let sentence =
                check.isLate
                ? ProgramTrial.late(program) : ProgramTrial.sentence(check.end ?? .clean, program, said: check.said)
            return [ConfigCheck.line(.error, program, sentence)]
        }
        guard mistakes.isEmpty else { return mistakes.map { ConfigCheck.line(.error, $0) } }
        guard isThorough else { return [] }
        let words = config.policy.transport == .ssh ? ["ssh", config.policy.sshPath] : []
        return ProgramTrial.confinementProblem(program, words, config).map { [ConfigCheck.line(.error, program, $0)] }
            ?? []
    }
}
