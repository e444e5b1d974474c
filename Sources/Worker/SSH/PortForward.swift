public import IPC

/// Opens and closes port forwards of a ControlMaster. The master keeps a forward when the `ssh` that asked for it has ended.
public enum PortForward {
    /// What came of the request for a forward.
    public enum Outcome: Equatable, Sendable {
        /// The master says that it listens. `masterPID` is 0 if the master does not tell its process id.
        case listening(masterPID: UInt32)
        /// The master answers, and does not listen.
        case refused
        /// The master does not answer. `detail` is what `ssh` said.
        case masterDead(detail: String)
        /// There was no answer in time, so the master may listen or still begin to.
        case unknown
        /// `ssh` cannot run here. `detail` says why.
        case unusable(detail: String)
    }

    /// How long the master may take. It answers in milliseconds, unless it is stopped.
    private static let limit = Duration.seconds(5)

    /// Asks the master to listen on 127.0.0.1. This takes at most 10 s.
    public static func open(_ route: ForwardRoute, sshPath: String) async -> Outcome {
        let answer: (end: ChildEnd, stdout: String, stderr: String, isLate: Bool)
        do throws(SSHProcess.SpawnFailure) {
            answer = try await SSHProcess.collect(
                path: sshPath, arguments: SSHInvocation.forward(route), limit: limit)
        } catch {
            return .unusable(detail: error.detail)
        }
        if answer.isLate { return .unknown }
        let host = PolicySnapshot.Host(name: "", master: route.master)
        let check = await MasterCheck.ask(host, sshPath: sshPath, within: limit)
        switch (answer.end, check.state) {
        case (_, .unusable(let detail)): return .unusable(detail: detail)
        case (.exited(0), .alive), (.exited(0), .dead): return .listening(masterPID: check.processID)
        case (.exited, .alive): return .refused
        case (.exited, .dead): return .masterDead(detail: firstLine(answer.stderr))
        case (.signalled, _), (.unseen, _): return .unknown
        }
    }

    /// Asks the master to stop listening.
    /// - Returns: what `ssh` said, at most 500 characters. This does not tell whether the listener is gone: `ssh` also succeeds
    ///   if there was none.
    public static func close(_ route: ForwardRoute, sshPath: String, within limit: Duration) async -> String {
        do throws(SSHProcess.SpawnFailure) {
            let answer = try await SSHProcess.collect(
                path: sshPath, arguments: SSHInvocation.cancel(route), limit: limit)
            if answer.isLate { return "no answer within \(limit.components.seconds) s" }
            return String(firstLine(answer.stderr).prefix(500))
        } catch {
            return String(error.detail.prefix(500))
        }
    }

    private static func firstLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
    }
}
