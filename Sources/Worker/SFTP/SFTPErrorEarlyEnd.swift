internal import IPC
internal import SSH

extension SFTPError {
    /// The error for a connection that ended before VERSION.
    static func earlyEnd(_ end: SessionEnd) -> SFTPError {
        switch end.how {
        case .ssh(let process, let program): earlyEnd(process, program, end)
        case .notOpened(let failure): notOpened(failure)
        // The host refuses the subsystem, or something else answers in its place.
        case .exited, .ended: .noSubsystem(detail: end.text)
        }
    }

    private static func notOpened(_ failure: SessionFailure) -> SFTPError {
        switch failure {
        case .refused(let rule): .notAllowed(rule)
        // Only commands fail in these ways.
        case .notAllowed, .tooLong: .unreachable(detail: "")
        case .byHost: .noSession(nil)
        case .byMaster(let reason): .unreachable(detail: "the ControlMaster refuses a session: \(reason)")
        case .down(let why), .unknown(let why): .masterDown(why)
        case .closed: .lost(detail: "closed")
        }
    }

    /// If the host was not reached, `ssh` says so in words that are known here. Other words, and none, are the host's answer.
    private static func earlyEnd(_ process: ChildEnd, _ program: String, _ end: SessionEnd) -> SFTPError {
        let said = end.said
        if SSHInvocation.isUnusable(said) { return .spawn(detail: said) }
        // No host can send ssh a signal.
        if case .signalled = process { return .spawn(detail: "\(program) \(process)") }
        if said.contains("refused by peer") { return .noSession(nil) }
        let ours = [
            "Control socket", "mux_client", "ControlPath", "Broken pipe", "closed by remote host",
            "kex_exchange_identification", "/nonexistent", "/bin/sh: Permission denied",
        ]
        return ours.contains { said.contains($0) } ? .unreachable(detail: said) : .noSubsystem(detail: end.text)
    }
}
