internal import IPC
internal import SSH

extension SFTPError {
    /// The error for a connection that ended before VERSION.
    static func earlyEnd(_ end: SessionEnd) -> SFTPError {
        switch end.how {
        case .notOpened(let failure): notOpened(failure)
        // The host refuses the subsystem, or something else answers in its place.
        case .exited, .ended: .noSubsystem(detail: end.text)
        }
    }

    private static func notOpened(_ failure: SessionFailure) -> SFTPError {
        switch failure {
        case .refused(let rule): .notAllowed(rule)
        // Only commands fail in these ways.
        case .notAllowed, .tooLong: .notOpened(detail: "")
        case .byHost: .noSession(nil)
        case .byMaster(let reason): .notOpened(detail: reason)
        case .down(let why), .unknown(let why): .masterDown(why)
        case .ssh(let detail): .spawn(detail: detail)
        case .closed: .lost(detail: "closed")
        }
    }
}
