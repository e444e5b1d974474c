internal import IPC

/// Asks whether the host behind one ControlMaster answers. Who asks while it is being asked gets the same answer.
actor HostAnswer {
    private var underWay: Task<HostSessions.Reach, Never>?

    /// Has `ask` ask the host, unless that is being done already.
    func reach(_ ask: @escaping @Sendable () async -> HostSessions.Reach) async -> HostSessions.Reach {
        if let underWay { return await underWay.value }
        let asking = Task { await ask() }
        underWay = asking
        defer { underWay = nil }
        return await asking.value
    }
}

extension HostSessions {
    /// What was seen just now of the host and of its master.
    public enum Reach: Equatable, Sendable {
        /// The host answered.
        case answers
        /// The master answers, and the host did not within `patience`.
        case silent
        /// The master does not answer, with what ssh says.
        case masterDead(detail: String)
        /// `ssh` itself cannot run here.
        case unusable(detail: String)
    }

    /// How long a host may take to answer, two round trips.
    public static let patience = Duration.seconds(3)

    /// How much longer a master may take where nothing has come by way of it within `patience`.
    private static let patienceWithMaster = Duration.seconds(2)

    /// A subsystem that no host has, RFC 4254 section 6.5. The host refuses it: no shell, start-up file or forced command
    /// runs there for the question. The host's log shows this name.
    private static let question = "claude-ssh-daemon-alive"

    /// Asks the host for an answer of any kind. The master alone is no evidence: it says that it lives for as long as its
    /// TCP connection reports no error, which a frozen network does not for minutes.
    public func reach() async -> Reach {
        await master.answer.reach { await self.ask() }
    }

    private func ask() async -> Reach {
        let answer: (end: ChildEnd, stdout: String, stderr: String)
        // Also where there is no place left: the host's refusal of one session more is an answer.
        let hasPlace = await budget.takePlaceAtOnce(.question)
        do throws(SSHProcess.SpawnFailure) {
            answer = try await SSHProcess.collect(
                path: sshPath, arguments: SSHInvocation.subsystem(host, name: Self.question), limit: Self.patience)
            if hasPlace { await budget.release(.question) }
        } catch {
            if hasPlace { await budget.release(.question) }
            return .unusable(detail: error.detail)
        }
        if Self.isRefusal(answer.stderr) { return .answers }
        // ssh ends alike when the host has refused the subsystem and when the connection is lost: the master tells which.
        switch await check(within: Self.patienceWithMaster) {
        case .alive: return Self.hasEndedSession(answer.end, answer.stderr) ? .answers : .silent
        case .dead(let detail): return .masterDead(detail: detail)
        case .unusable(let detail): return .unusable(detail: detail)
        }
    }

    /// Whether the master opened a session, which the host must confirm, and it ended.
    private static func hasEndedSession(_ end: ChildEnd, _ said: String) -> Bool {
        switch end {
        case .exited: !SSHProcess.hasTriedToConnect(said)
        case .signalled: false
        }
    }
}
