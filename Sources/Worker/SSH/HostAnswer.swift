public import IPC

/// The question whether the host behind one ControlMaster answers, which stays open until it does: there is one at a time.
///
/// It is not asked anew, because a session that the host has not confirmed takes four descriptors of the master until then,
/// whether or not the `ssh` that asked for it lives. Whoever asks during a freeze would use them up.
actor HostAnswer {
    private var isAsked = false
    private var waiting: [UInt64: CheckedContinuation<HostSessions.Reach?, Never>] = [:]
    private var nextWaiter: UInt64 = 0

    /// Waits so long for the answer that `ask` gets, or that the one gets who asked before.
    func reach(
        within limit: Duration, _ ask: @escaping @Sendable () async -> HostSessions.Reach
    ) async -> HostSessions.Reach? {
        if !isAsked {
            isAsked = true
            Task { self.tell(await ask()) }
        }
        let waiter = nextWaiter
        nextWaiter += 1
        let timer = Timer(limit) { Task { await self.giveUp(waiter) } }
        defer { timer.cancel() }
        return await withCheckedContinuation { waiting[waiter] = $0 }
    }

    private func tell(_ reach: HostSessions.Reach) {
        isAsked = false
        let told = waiting.values
        waiting = [:]
        for continuation in told { continuation.resume(returning: reach) }
    }

    private func giveUp(_ waiter: UInt64) {
        waiting.removeValue(forKey: waiter)?.resume(returning: nil)
    }
}

extension HostSessions {
    /// What was seen just now of the host and of its master.
    public enum Reach: Equatable, Sendable {
        /// The host answered.
        case answers
        /// The master answers, and the host did not within `patience`.
        case silent
        /// The master does not answer.
        case masterDown(MasterDown)
    }

    /// How long a host may take to answer, two round trips.
    public static let patience = Duration.seconds(3)

    /// Asks the host for an answer of any kind. The master alone is no evidence: it says that it lives for as long as its
    /// TCP connection reports no error, which a frozen network does not for minutes.
    public func reach() async -> Reach { await current.reachThere() }

    private func reachThere() async -> Reach {
        // Also where there is no place left: the host's refusal of one session more is an answer.
        let place = await budget.takePlaceAtOnce(.question)
        let reach = await master.answer.reach(within: Self.patience) { await self.ask() }
        if let place { await budget.release(place) }
        if let reach { return reach }
        return await reachOfMaster(hostAnswers: false)
    }

    private func ask() async -> Reach {
        let answer: ErrandResult
        do throws(IPCError) {
            answer = try await run(.question, within: nil)
        } catch {
            return .masterDown(.unavailable(errno: error.systemErrno))
        }
        switch answer.end {
        case .notOpened(.byHost): return .answers
        case .notOpened(.down(let why)): return .masterDown(why)
        case .notOpened: return await reachOfMaster(hostAnswers: false)
        // A session ends alike when the host has refused the subsystem and when the connection is lost: the master tells which.
        case .exited, .ended, .ssh: return await reachOfMaster(hostAnswers: true)
        }
    }

    private func reachOfMaster(hostAnswers: Bool) async -> Reach {
        switch await masterState() {
        case .alive: hostAnswers ? .answers : .silent
        case .down(let why): .masterDown(why)
        }
    }
}
