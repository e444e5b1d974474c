public import IPC

/// How a session that stayed open ended.
public struct SessionEnd: Equatable, Sendable {
    /// What ended it.
    public enum How: Equatable, Sendable {
        /// It was never open.
        case notOpened(SessionFailure)
        /// What it ran ended with this status.
        case exited(UInt32)
        /// It ended, and no status came: it ran nothing, a signal ended it, the connection was lost, or this side closed it.
        case ended
    }

    /// What ended it.
    public let how: How
    /// What came on standard error, as one line.
    public let said: String

    /// An end.
    public init(_ how: How, said: String = "") {
        self.how = how
        self.said = said.split(whereSeparator: \.isNewline).joined(separator: "; ")
    }

    /// The same end, with this said before the rest.
    public func saying(_ text: String) -> SessionEnd {
        SessionEnd(how, said: said.isEmpty ? text : "\(text); \(said)")
    }

    /// What was seen, in words for a person.
    public var text: String {
        guard said.isEmpty else { return said }
        return switch how {
        case .notOpened: "its session was not opened"
        case .exited(let status): "its session ended with status \(status)"
        case .ended: "its session ended without a status"
        }
    }
}
