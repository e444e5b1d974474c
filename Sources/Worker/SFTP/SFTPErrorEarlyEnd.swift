internal import SSH

extension SFTPError {
    /// The error for a connection that ended before VERSION. If the host was not reached, `ssh` says so in words that are known
    /// here. Other words come from the host. If the host refuses the subsystem, there may be no words at all, because only the
    /// ControlMaster is told why.
    static func earlyEnd(_ end: SessionEnd) -> SFTPError {
        let said = end.said
        if SSHInvocation.isUnusable(said) { return .spawn(detail: said) }
        // No host can send ssh a signal.
        if case .signalled = end.process { return .spawn(detail: "\(end.program) \(end.process)") }
        if said.contains("ubsystem request failed") { return .noSubsystem(detail: end.text) }
        if said.contains("refused by peer") { return .noSession(nil) }
        let ours = [
            "Control socket", "mux_client", "ControlPath", "Broken pipe", "closed by remote host",
            "kex_exchange_identification", "/nonexistent", "/bin/sh: Permission denied",
        ]
        return ours.contains { said.contains($0) } ? .unreachable(detail: said) : .noSubsystem(detail: end.text)
    }
}
