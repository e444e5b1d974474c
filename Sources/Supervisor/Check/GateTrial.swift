internal import IPC

/// Starts a gate, tries its confinement, and has it ask the ControlMasters whether they live.
enum GateTrial {
    /// - Parameter isThorough: whether its confinement is tried, too.
    static func lines(_ config: Config, isThorough: Bool) -> [String] {
        let program: String
        let questions: MasterQuestions
        do throws(StartError) {
            program = try Startup.gateProgram()
            questions = try MasterQuestions(config.policy, program: program)
        } catch {
            return [ConfigCheck.line(.error, error.sentence)]
        }
        if let problem = questions.ask(program) { return [ConfigCheck.line(.error, program, problem)] }
        if isThorough, let problem = ProgramTrial.confinementProblem(program, [], config) {
            return [ConfigCheck.line(.error, program, problem)]
        }
        return zip(config.policy.hosts, questions.states).compactMap { host, state in
            let key = config.key("socket", of: host)
            guard let state else {
                return ConfigCheck.line(
                    .warning, key,
                    "its ControlMaster was not asked, because too many others do not answer; mend these first")
            }
            return MasterLine(host: host, key: key).line(state)
        }
    }
}
