internal import Glibc
internal import IPC

extension HostSessions {
    /// What is known of the master.
    public enum MasterState: Equatable, Sendable {
        case alive
        /// It does not answer, with what ssh says.
        case dead(detail: String)
        /// `ssh` itself cannot run here.
        case unusable(detail: String)
    }

    /// The beginning of what is said of a master that takes connections and says nothing.
    public static let noAnswer = "no answer"

    /// Asks the master whether it lives. Whether the host behind it answers is another question, see `reach`.
    public func check(within limit: Duration = .seconds(5)) async -> MasterState {
        await MasterCheck.ask(host, sshPath: sshPath, within: limit).state
    }
}

/// The question to a ControlMaster whether it lives, `-O check` of ssh(1), and what its answer proves.
enum MasterCheck {
    /// What a short `ssh` left behind.
    struct Answer {
        let end: ChildEnd
        let stderr: String
        /// It did not end in time, and was killed.
        let isLate: Bool

        /// The first line that it said.
        var said: String { stderr.split(whereSeparator: \.isNewline).first.map(String.init) ?? "" }
    }

    /// Asks it. Its process id is 0 where it does not tell.
    static func ask(
        _ host: PolicySnapshot.Host, sshPath: String, within limit: Duration
    ) async -> (state: HostSessions.MasterState, processID: UInt32) {
        do throws(SSHProcess.SpawnFailure) {
            let answer = try await SSHProcess.collect(
                path: sshPath, arguments: SSHInvocation.check(host), limit: limit)
            let state = state(
                by: Answer(end: answer.end, stderr: answer.stderr, isLate: answer.isLate), sshPath: sshPath,
                within: limit)
            if case .unusable(let detail) = state { SSHTrouble.note(detail) }
            return (state, processID(answer.stderr))
        } catch {
            return (.unusable(detail: error.detail), 0)
        }
    }

    /// What an answer proves. Only the master's own words show that it lives, and only words about its socket show that it does
    /// not: an `ssh` that ended otherwise has asked nobody.
    static func state(by answer: Answer, sshPath: String, within limit: Duration) -> HostSessions.MasterState {
        if answer.isLate {
            guard answer.stderr.isEmpty || isOfMaster(answer.stderr) else {
                return .unusable(detail: sentence(answer, sshPath))
            }
            return .dead(detail: "\(HostSessions.noAnswer) within \(limit.components.seconds) s")
        }
        if answer.end == .exited(0), processID(answer.stderr) != 0 { return .alive }
        if answer.end == .exited(SSHProcess.ownFailure), isOfMaster(answer.stderr) { return .dead(detail: answer.said) }
        return .unusable(detail: sentence(answer, sshPath))
    }

    private static func sentence(_ answer: Answer, _ sshPath: String) -> String {
        // ssh says these by itself, and they say all.
        if SSHInvocation.isUnusable(answer.said) { return answer.said }
        let said = answer.said.isEmpty ? "said nothing" : "said \"\(answer.said.prefix(300))\""
        return
            "\(sshPath) \(answer.isLate ? "did not end" : "\(answer.end)"), \(said), and did not speak to the ControlMaster"
    }

    /// Whether `ssh` speaks of a ControlMaster's socket, or of the connection that it went on to make without one; mux.c and
    /// ssh.c of OpenSSH.
    private static func isOfMaster(_ said: String) -> Bool {
        [
            "Control socket", "ControlSocket", "ControlPath", "mux_client", "muxclient", "multiplexing protocol",
            "Master refused",
        ]
        .contains { said.contains($0) } || SSHProcess.hasTriedToConnect(said)
    }

    /// From "Master running (pid=123)".
    static func processID(_ said: String) -> UInt32 {
        guard let start = said.firstRange(of: "Master running (pid=")?.upperBound else { return 0 }
        return UInt32(said[start...].prefix { $0.isNumber }) ?? 0
    }
}
