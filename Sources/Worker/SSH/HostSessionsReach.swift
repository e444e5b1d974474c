public import IPC

extension HostSessions {
    /// What was just seen of the host and of its master.
    public enum Reach: Equatable, Sendable {
        /// The host answered.
        case answers
        /// The master answers, and the host did not answer within `patience`.
        case silent
        /// The master does not answer.
        case masterDown(MasterDown)
    }

    /// How long a host may take to answer. The answer takes two round trips.
    public static let patience = Duration.seconds(3)

    /// Asks the host for an answer of any kind. The answer of the master would prove nothing about the host: on a frozen network
    /// its TCP connection reports no error for minutes.
    public func reach() async -> Reach { await current.reachThere() }

    /// The same, where something has come of the host within `HostPulse.patience` without asking it.
    public func responds() async -> Reach {
        let there = await current
        guard there.master.pulse.isFresh else { return await there.reachThere() }
        return await there.reachOfMaster(hostAnswers: true)
    }

    /// The same.
    /// - Parameter state: what was just seen of the master, which is not asked again.
    public func responds(seen state: MasterState) async -> Reach {
        switch state {
        case .alive:
            let there = (try? met(state)) ?? self
            return there.master.pulse.isFresh ? .answers : await there.reachThere()
        case .down(let why): return .masterDown(why)
        }
    }

    private func reachThere() async -> Reach {
        // The question needs no place: if the host refuses one session more, that is an answer too.
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
        // A session ends in the same way if the host refuses the subsystem and if the connection is lost. The master knows which.
        case .exited, .ended: return await reachOfMaster(hostAnswers: true)
        }
    }

    private func reachOfMaster(hostAnswers: Bool) async -> Reach {
        switch await masterState() {
        case .alive: hostAnswers ? .answers : .silent
        case .down(let why): .masterDown(why)
        }
    }
}
