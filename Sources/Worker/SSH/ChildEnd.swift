/// How a child process ended.
public enum ChildEnd: Equatable, Sendable {
    /// By itself, with this status.
    case exited(Int)
    /// By this signal, signal(7).
    case signalled(Int32)
    /// It has ended, and the kernel does not tell how.
    case unseen
}

/// In words that follow the name of the program.
extension ChildEnd: CustomStringConvertible {
    /// How it ended.
    public var description: String {
        switch self {
        case .exited(let status): "ended with status \(status)"
        case .signalled(let signal):
            "was ended by \(SignalName.of(exitStatus: 128 + Int(signal)) ?? "signal \(signal)")"
        case .unseen: "ended in a way that was not seen"
        }
    }
}
