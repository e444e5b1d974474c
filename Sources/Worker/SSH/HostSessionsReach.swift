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
        /// `ssh` cannot run here. `detail` says why.
        case unusable(detail: String)
    }

    /// How long a host may take to answer. The answer takes two round trips.
    public static let patience = Duration.seconds(3)

    /// Asks the host for an answer of any kind. The answer of the master would prove nothing about the host: on a frozen network
    /// its TCP connection reports no error for minutes.
    public func reach() async -> Reach { await current.reachThere() }

    private func reachThere() async -> Reach {
        // The question needs no place: if the host refuses one session more, that is an answer too.
        let place = await budget.takePlaceAtOnce(.question)
        let reach = await master.answer.reach(within: Self.patience) { await self.ask() }
        if let place { await budget.release(place) }
        if let reach { return reach }
        return await reachOfMaster(hostAnswers: false)
    }

    private func ask() async -> Reach {
        let err = StreamBox(OutputWindow(limit: 4096))
        let end: ChildEnd
        do throws(SSHProcess.SpawnFailure) {
            end = try await SSHProcess(
                path: sshPath, arguments: SSHInvocation.session(host, errand: .question)
            ).run(
                events: AsyncStream.makeStream(of: SSHProcess.Event.self), stdout: { _ in },
                stderr: { chunk in err.with { $0.append(chunk) } },
                control: { events in
                    guard case .ended(let end) = await events.next() else { return nil }
                    return end
                })
        } catch {
            return .unusable(detail: error.detail)
        }
        let said = err.value.output().text
        if Self.isRefusal(said) { return .answers }
        if SSHInvocation.isUnusable(said) {
            return .unusable(detail: said.split(whereSeparator: \.isNewline).joined(separator: "; "))
        }
        // ssh ends in the same way if the host refuses the subsystem and if the connection is lost. The master knows which.
        return await reachOfMaster(hostAnswers: Self.hasEndedSession(end, said))
    }

    private func reachOfMaster(hostAnswers: Bool) async -> Reach {
        switch await masterState() {
        case .alive: hostAnswers ? .answers : .silent
        case .down(let why): .masterDown(why)
        }
    }

    /// Whether the host had confirmed a session, which has then ended.
    private static func hasEndedSession(_ end: ChildEnd, _ said: String) -> Bool {
        switch end {
        case .exited: !SSHProcess.hasTriedToConnect(said)
        case .signalled, .unseen: false
        }
    }
}
