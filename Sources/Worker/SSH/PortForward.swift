public import IPC

extension SSHInvocation {
    /// Has the master listen and forward, `-O forward -L`.
    static func forward(_ route: ForwardRoute) -> [String] { control("forward", route) }

    /// Has the master stop listening, `-O cancel -L`.
    static func cancel(_ route: ForwardRoute) -> [String] { control("cancel", route) }

    private static func control(_ command: String, _ route: ForwardRoute) -> [String] {
        ["-S", route.master.controlPath, "-O", command, "-L", route.specification] + controlOptions
            + ["--", route.master.destination]
    }
}

/// Port forwards by way of a ControlMaster, which keeps them when the `ssh` that asked for them has ended.
public enum PortForward {
    /// What a master made of a request for one.
    public enum Outcome: Equatable, Sendable {
        /// It says that it listens. Its process id, 0 where it does not tell.
        case listening(masterPID: UInt32)
        /// It answers, and does not listen.
        case refused
        /// It does not answer.
        case masterDown(MasterDown)
        /// There was no answer in time: it may listen yet.
        case unknown
        /// `ssh` cannot run here.
        case unusable(detail: String)
    }

    /// A master answers in milliseconds, unless it is stopped.
    private static let limit = Duration.seconds(5)

    /// Asks the master to listen on 127.0.0.1.
    public static func open(_ route: ForwardRoute, by sessions: HostSessions) async -> Outcome {
        let answer: (end: ChildEnd, stdout: String, stderr: String, isLate: Bool)
        do throws(SSHProcess.SpawnFailure) {
            answer = try await SSHProcess.collect(
                path: sessions.sshPath, arguments: SSHInvocation.forward(route), limit: limit)
        } catch {
            return .unusable(detail: error.detail)
        }
        if answer.isLate { return .unknown }
        guard case .exited(let status) = answer.end else { return .unknown }
        let said = firstLine(answer.stderr)
        if SSHInvocation.isUnusable(said) { return .unusable(detail: said) }
        switch await sessions.masterState() {
        case .alive(let masterPID): return status == 0 ? .listening(masterPID: masterPID) : .refused
        case .down(let why): return status == 0 ? .listening(masterPID: 0) : .masterDown(why)
        }
    }

    /// Asks the master to stop listening.
    /// - Returns: what ssh said. Whether the listener is gone it does not tell: `ssh` succeeds also where there was none.
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
