public import IPC

/// Where calls are written down: in the supervisor, out of this process's reach.
public protocol AuditBroker: Sendable {
    /// Says that a call begins, and returns when the supervisor knows, with the call's number.
    /// - Returns: nil where nobody takes it; then the call must not be made.
    func begin(_ call: AuditCall) async -> UInt32?
    /// Says how a call ended.
    func end(_ number: UInt32, _ outcome: AuditOutcome)
}
