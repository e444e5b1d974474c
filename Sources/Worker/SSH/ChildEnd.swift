/// How a child process ended.
public enum ChildEnd: Equatable, Sendable {
    /// The process ended by itself, with this status.
    case exited(Int)
    /// This signal ended it, signal(7).
    case signalled(Int32)
    /// The process has ended, and the kernel did not tell how.
    case unseen
}

extension ChildEnd: CustomStringConvertible {
    /// A phrase that follows the name of the program.
    public var description: String {
        switch self {
        case .exited(let status): "ended with status \(status)"
        case .signalled(let signal):
            "was ended by \(SignalName.of(exitStatus: 128 + Int(signal)) ?? "signal \(signal)")"
        case .unseen: "ended in a way that was not seen"
        }
    }
}
