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

/// How a session that stayed open ended.
public struct SessionEnd: Equatable, Sendable {
    /// How its `ssh` ended.
    public let process: ChildEnd
    /// What came on standard error, of `ssh` and of the host, as one line.
    public let said: String
    /// The path of that `ssh`.
    public let program: String

    /// An end.
    public init(_ process: ChildEnd, said: String = "", program: String = "ssh") {
        self.program = program
        self.process = process
        self.said = said.split(whereSeparator: \.isNewline).joined(separator: "; ")
    }

    /// What was seen, for a person.
    public var text: String { said.isEmpty ? "its session \(process)" : said }
}
